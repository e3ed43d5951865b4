{{/* The database, for the control plane and for the migration. */}}
{{- define "rkd.databaseEnv" -}}
{{- if eq .Values.database.type "postgresql" }}
{{- include "rkd.secretEnv" (list "RKD_DATABASE_URL" .Values.database.secretName .Values.database.secretKey) }}
{{- end }}
{{- end }}

{{- define "rkd.launcherEnv" -}}
- {name: RKD_LAUNCHER, value: {{ .Values.launcher }}}
{{- if eq .Values.launcher "rayjob" }}
- {name: RKD_RAYJOB_TEMPLATE, value: /etc/rkd/rayjob.yaml}
- {name: RKD_KUBERNETES_NAMESPACE, value: {{ .Release.Namespace }}}
{{- else }}
- {name: RKD_RAY_ADDRESS, value: "http://{{ include "rkd.name" . }}-ray-head-svc.{{ .Release.Namespace }}.svc:8265"}
{{- end }}
{{ include "rkd.secretEnv" (list "RAY_AUTH_TOKEN" .Values.ray.tokenSecretName "auth_token") }}
{{- with .Values.ray.roleLabel }}
- {name: RKD_ROLE_LABEL, value: {{ . }}}
{{- end }}
{{- if not (hasKey .Values.config "RKD_CLUSTER_GROUPS") }}
- {name: RKD_CLUSTER_GROUPS, value: {{ include "rkd.groups" . | quote }}}
{{- end }}
{{- if not (hasKey .Values.config "RKD_CLUSTER_GROWS") }}
- {name: RKD_CLUSTER_GROWS, value: {{ include "rkd.grows" . | trim | quote }}}
{{- end }}
{{- end }}

{{/* Names beside that of the Service: kubelet and Prometheus ask by addresses. */}}
{{- define "rkd.hosts" -}}
{{- $hosts := list -}}
{{- if .Values.ingress.enabled -}}{{- $hosts = append $hosts .Values.ingress.host -}}{{- end -}}
{{ join "," (concat $hosts .Values.control.allowedHosts) }}
{{- end }}

{{- define "rkd.controlEnv" -}}
- {name: RKD_HOST, value: 0.0.0.0}
- {name: RKD_PORT, value: "8420"}
- {name: RKD_PUBLIC_URL, value: {{ include "rkd.url" . | quote }}}
{{- with include "rkd.hosts" . }}
- {name: RKD_ALLOWED_HOSTS, value: {{ . | quote }}}
{{- end }}
- {name: RKD_INTERPRETER, value: /opt/rkd/bin/python}
{{ include "rkd.storageEnv" . }}
{{- with include "rkd.databaseEnv" . }}
{{ . }}
{{- end }}
{{ include "rkd.launcherEnv" . }}
{{- with .Values.keyPepper.secretName }}
{{ include "rkd.secretEnv" (list "RKD_KEY_PEPPER" . $.Values.keyPepper.secretKey) }}
{{- end }}
{{- with .Values.firstKey.secretName }}
{{ include "rkd.secretEnv" (list "RKD_FIRST_KEY" . $.Values.firstKey.secretKey) }}
{{- end }}
{{- if and .Values.storage.models.existingClaim (not (hasKey .Values.config "RKD_ALLOWED_PATHS")) }}
- {name: RKD_ALLOWED_PATHS, value: /models}
{{- end }}
{{- if and .Values.ingress.enabled .Values.ingress.trustedProxies }}
- {name: FORWARDED_ALLOW_IPS, value: {{ join "," .Values.ingress.trustedProxies | quote }}}
{{- end }}
{{- range $name, $value := .Values.config }}
- {name: {{ $name }}, value: {{ include "rkd.text" $value | quote }}}
{{- end }}
{{- end }}

{{- define "rkd.probe" -}}
httpGet:
  path: {{ . }}
  port: http
timeoutSeconds: 5
{{- end }}
