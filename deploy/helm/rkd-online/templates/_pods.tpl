{{/* What the Pod Security Standard `restricted` asks of a pod. */}}
{{- define "rkd.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* And of a container: those that KubeRay adds to a pod have no other. */}}
{{- define "rkd.containerSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Of every pod. A Service named rkd would set RKD_PORT in all pods, hence no links. */}}
{{- define "rkd.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "rkd.podSecurity" . | nindent 2 }}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* What kubelet would mount for a ServiceAccount, for one container instead of all of a pod. */}}
{{- define "rkd.tokenVolume" -}}
name: kubernetes-token
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3607}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{- define "rkd.tokenMount" -}}
{name: kubernetes-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{/* A variable out of a Secret; takes (list name secret key). */}}
{{- define "rkd.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end }}

{{/* Where a pod keeps its part of the data folder. */}}
{{- define "rkd.storageEnv" -}}
- {name: RKD_DATA_DIR, value: /var/lib/rkd}
- {name: HOME, value: /tmp}
{{- if eq .Values.storage.type "s3" }}
{{- with .Values.storage.s3 }}
- {name: RKD_OBJECT_STORE, value: {{ printf "s3://%s/%s" .bucket .prefix | trimSuffix "/" | quote }}}
{{- with .endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .region }}
- {name: AWS_DEFAULT_REGION, value: {{ . | quote }}}
{{- end }}
{{- with .secretName }}
{{ include "rkd.secretEnv" (list "AWS_ACCESS_KEY_ID" . "AWS_ACCESS_KEY_ID") }}
{{ include "rkd.secretEnv" (list "AWS_SECRET_ACCESS_KEY" . "AWS_SECRET_ACCESS_KEY") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "rkd.dataVolume" -}}
name: data
{{- if eq .Values.storage.type "pvc" }}
persistentVolumeClaim: {claimName: {{ include "rkd.claim" . }}}
{{- else }}
emptyDir: {sizeLimit: {{ .Values.storage.localSize }}}
{{- end }}
{{- end }}

{{- define "rkd.modelsVolume" -}}
{{- with .Values.storage.models.existingClaim }}
- name: models
  persistentVolumeClaim: {claimName: {{ . }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "rkd.modelsMount" -}}
{{- if .Values.storage.models.existingClaim }}
- {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- end }}
