{{/* Pods of another namespace; takes {namespace, podLabels}. */}}
{{- define "rkd.peer" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .namespace }}}
  {{- with .podLabels }}
  podSelector:
    matchLabels: {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end }}

{{/* Pods of this release; takes (list $ component). */}}
{{- define "rkd.ownPeer" -}}
- podSelector:
    matchLabels: {{- include "rkd.selector" . | nindent 6 }}
{{- end }}

{{/* Address ranges without 169.254.0.0/16; takes a list of {cidr, except}. */}}
{{- define "rkd.blocks" -}}
{{- range . -}}
{{- $size := splitList "/" .cidr | last | int -}}
{{- $octets := splitList "." .cidr -}}
{{- $place := add (mul (index $octets 0 | int) 256) (index $octets 1 | int) -}}
{{- $linkLocal := 43518 -}}{{/* 169 * 256 + 254 */}}
{{- $step := 1 -}}
{{- range until (int (max 0 (sub 16 $size))) -}}{{- $step = mul $step 2 -}}{{- end -}}
{{- $inside := eq (div $place $step) (div $linkLocal $step) -}}
{{- if and $inside (ge $size 16) -}}
{{- fail (printf "\n\n- networkPolicy allows %s, where clouds serve the credentials of nodes: remove it\n" .cidr) -}}
{{- end -}}
{{- $except := .except -}}
{{- if $inside -}}{{- $except = append $except "169.254.0.0/16" -}}{{- end }}
- ipBlock:
    cidr: {{ .cidr }}
    {{- with $except }}
    except: {{ toJson . }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Takes a list of ports. */}}
{{- define "rkd.ports" -}}
ports:
{{- range . }}
  - {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end }}

{{/* An egress rule to address ranges; takes {cidrs, port} or {cidrs, ports}. */}}
{{- define "rkd.out" -}}
- to: {{- include "rkd.blocks" .cidrs | trim | nindent 4 }}
  {{- include "rkd.ports" (.ports | default (list .port)) | nindent 2 }}
{{- end }}

{{/* The head of a policy over one component; takes (list $ component suffix). */}}
{{- define "rkd.policy" -}}
{{- $root := index . 0 -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "rkd.name" $root }}-{{ index . 1 }}
  labels: {{- include "rkd.labels" (list $root (index . 1)) | nindent 4 }}
{{- end }}
