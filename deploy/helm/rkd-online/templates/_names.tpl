{{- define "rkd.name" -}}
{{ .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Labels that select pods: a selector of a Deployment can never be changed. Takes (list $ component). */}}
{{- define "rkd.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Of pods: without versions, so that an upgrade leaves alone what it does not change. */}}
{{- define "rkd.podLabels" -}}
{{ include "rkd.selector" . }}
app.kubernetes.io/name: rkd-online
{{- end }}

{{- define "rkd.labels" -}}
{{- $root := index . 0 -}}
{{ include "rkd.podLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{- define "rkd.tag" -}}
{{ .Values.images.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "rkd.controlImage" -}}
{{ .Values.images.control.repository }}:{{ include "rkd.tag" . }}
{{- end }}

{{- define "rkd.workerImage" -}}
{{ .Values.images.worker.repository | default (printf "rkd-online-worker-%s" .Values.device) }}:{{ include "rkd.tag" . }}
{{- end }}

{{- define "rkd.claim" -}}
{{ .Values.storage.pvc.existingClaim | default (printf "%s-data" (include "rkd.name" .)) }}
{{- end }}

{{/* Where runs and tests reach the API. */}}
{{- define "rkd.url" -}}
http://{{ include "rkd.name" . }}.{{ .Release.Namespace }}.svc:8420
{{- end }}

{{/* Numbers of values are floating-point: 1200000 would be written 1.2e+06. */}}
{{- define "rkd.text" -}}
{{- if kindIs "string" . -}}
{{ . }}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ int64 . }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}
