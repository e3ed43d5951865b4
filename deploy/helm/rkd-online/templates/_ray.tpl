{{/* The spec of a RayCluster: a standing one, or that of a RayJob. Takes (list $ standing). */}}
{{- define "rkd.rayCluster" -}}
{{- $root := index . 0 -}}
{{- $standing := index . 1 -}}
{{- $ray := $root.Values.ray -}}
{{- $scales := and $standing $ray.autoscaling.enabled -}}
rayVersion: {{ $ray.version | quote }}
authOptions: {mode: token, secretName: {{ $ray.tokenSecretName }}}
enableInTreeAutoscaling: {{ $scales }}
{{- if $standing }}
upgradeStrategy: {type: {{ $ray.upgradeStrategy }}}
{{- if $ray.gcsFaultTolerance.enabled }}
gcsFaultToleranceOptions:
  redisAddress: {{ $ray.gcsFaultTolerance.redisAddress | quote }}
  redisPassword:
    valueFrom:
      secretKeyRef: {name: {{ $ray.gcsFaultTolerance.secretName }}, key: {{ $ray.gcsFaultTolerance.secretKey }}}
{{- end }}
{{- end }}
{{- if $scales }}
autoscalerOptions:
  version: v2 # the first one does not know labels
  idleTimeoutSeconds: {{ $ray.autoscaling.idleTimeoutSeconds }}
  upscalingMode: Default
  imagePullPolicy: {{ $root.Values.images.pullPolicy }}
  securityContext: {{- include "rkd.containerSecurity" $root | nindent 4 }}
  resources: {{- toYaml $ray.autoscaling.resources | nindent 4 }}
  volumeMounts:
    - {name: scratch, mountPath: /tmp}
    - {{ include "rkd.tokenMount" $root }}
{{- end }}
headGroupSpec:
  serviceType: ClusterIP
  rayStartParams:
    num-cpus: "0" # its end would take with it what runs on it
    dashboard-host: 0.0.0.0
  template:
    metadata:
      labels: {{- include "rkd.podLabels" (list $root "ray") | nindent 8 }}
    spec:
      {{- include "rkd.rayPod" (list $root $ray.head) | nindent 6 }}
      containers:
        - name: ray-head
          {{- include "rkd.rayContainer" $root | nindent 10 }}
          ports:
            - {name: gcs-server, containerPort: 6379}
            - {name: dashboard, containerPort: 8265}
            - {name: client, containerPort: 10001}
            - {name: metrics, containerPort: 8080}
            - {name: as-metrics, containerPort: 44217}
            - {name: dash-metrics, containerPort: 44227}
          resources: {{- toYaml $ray.head.resources | nindent 12 }}
      volumes:
        {{- include "rkd.rayVolumes" (list $root $ray.head) | nindent 8 }}
        {{- if $scales }}
        - {{ include "rkd.tokenVolume" $root | nindent 10 | trim }}
        {{- end }}
workerGroupSpecs:
{{- range $group := $ray.workerGroups }}
  - groupName: {{ $group.name }}
    {{- if and $ray.roleLabel $group.role }}
    labels: {{ dict $ray.roleLabel $group.role | toJson }}
    {{- end }}
    replicas: {{ ternary $group.replicas 0 $standing }}
    minReplicas: {{ ternary $group.minReplicas 0 $standing }}
    maxReplicas: {{ $group.maxReplicas }}
    rayStartParams: {}
    template:
      metadata:
        labels: {{- include "rkd.podLabels" (list $root "ray") | nindent 10 }}
      spec:
        {{- include "rkd.rayPod" (list $root $group) | nindent 8 }}
        containers:
          - name: ray-worker
            {{- include "rkd.rayContainer" $root | nindent 12 }}
            ports:
              - {name: metrics, containerPort: 8080}
            resources:
              requests: {{- include "rkd.groupResources" $group | nindent 16 }}
              limits: {{- include "rkd.groupResources" $group | nindent 16 }}
        volumes:
          {{- include "rkd.rayVolumes" (list $root $group) | nindent 10 }}
{{- end }}
{{- end }}

{{/* Takes (list $ head-or-group). */}}
{{- define "rkd.rayPod" -}}
{{- $root := index . 0 -}}
{{- $place := index . 1 -}}
serviceAccountName: {{ include "rkd.name" $root }}-ray
{{ include "rkd.podBasics" $root }}
{{- with $place.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $place.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Ray's pods see jobs' folders alone: keys and database lie beside them. */}}
{{- define "rkd.rayContainer" -}}
image: {{ include "rkd.workerImage" . }}
imagePullPolicy: {{ .Values.images.pullPolicy }}
securityContext: {{- include "rkd.containerSecurity" . | nindent 2 }}
env:
  {{- include "rkd.storageEnv" . | nindent 2 }}
  {{- range $name, $value := .Values.ray.env }}
  - {name: {{ $name }}, value: {{ include "rkd.text" $value | quote }}}
  {{- end }}
{{- with .Values.ray.envSecrets }}
envFrom:
{{- range . }}
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end }}
volumeMounts:
  - {name: scratch, mountPath: /tmp}
  - {name: shared-mem, mountPath: /dev/shm}
  {{- if eq .Values.storage.type "pvc" }}
  - {name: data, mountPath: /var/lib/rkd/runs, subPath: runs}
  {{- else }}
  - {name: data, mountPath: /var/lib/rkd}
  {{- end }}
  {{- with include "rkd.modelsMount" . | trim }}{{ nindent 2 . }}{{ end }}
{{- end }}

{{/* Takes (list $ head-or-group). */}}
{{- define "rkd.rayVolumes" -}}
{{- $root := index . 0 -}}
- name: scratch
  emptyDir: {sizeLimit: {{ $root.Values.ray.scratchSize }}}
- name: shared-mem
  emptyDir: {medium: Memory, sizeLimit: {{ (index . 1).sharedMemorySize }}}
- {{ include "rkd.dataVolume" $root | nindent 2 | trim }}
{{- include "rkd.modelsVolume" $root }}
{{- end }}

{{- define "rkd.groupResources" -}}
cpu: {{ .cpus }}
memory: {{ .memory }}
{{- if .gpus }}
nvidia.com/gpu: {{ .gpus }}
{{- end }}
{{- end }}

{{/* All nodes that there can be, as the control plane counts them. */}}
{{- define "rkd.groups" -}}
{{- $grows := eq (include "rkd.grows" . | trim) "true" -}}
{{- $groups := list -}}
{{- range .Values.ray.workerGroups -}}
{{- $nodes := ternary .maxReplicas .replicas $grows -}}
{{- if $nodes -}}
{{- $groups = append $groups (dict "role" .role "nodes" $nodes "cpus" .cpus "gpus" .gpus) -}}
{{- end -}}
{{- end -}}
{{ toJson $groups }}
{{- end }}

{{/* Whether they come as they are needed. */}}
{{- define "rkd.grows" -}}
{{ or .Values.ray.autoscaling.enabled (eq .Values.launcher "rayjob") }}
{{- end }}
