{{/* What the launcher fills in and creates: name, entrypoint, environment, replicas by group. */}}
{{- define "rkd.rayJob" -}}
apiVersion: ray.io/v1
kind: RayJob
metadata:
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "rkd.podLabels" (list . "ray") | nindent 4 }}
    {{- if .Values.kueue.enabled }}
    kueue.x-k8s.io/queue-name: {{ .Values.kueue.localQueue }}
    {{- end }}
spec:
  entrypoint: ""
  submissionMode: K8sJobMode
  {{- if .Values.kueue.enabled }}
  suspend: true # Kueue starts it
  {{- end }}
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: {{ .Values.ray.secondsAfterAttempt }}
  backoffLimit: 0 # the control plane begins the next attempt
  submitterPodTemplate:
    metadata:
      labels: {{- include "rkd.podLabels" (list . "ray-submitter") | nindent 8 }}
    spec:
      restartPolicy: Never
      {{- include "rkd.podBasics" . | nindent 6 }}
      containers:
        - name: ray-job-submitter
          image: {{ include "rkd.workerImage" . }}
          imagePullPolicy: {{ .Values.images.pullPolicy }}
          securityContext: {{- include "rkd.containerSecurity" . | nindent 12 }}
          env:
            - {name: HOME, value: /tmp}
          resources: {{- toYaml .Values.ray.submitter.resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 1Gi}
  rayClusterSpec: {{- include "rkd.rayCluster" (list . false) | nindent 4 }}
{{- end }}
