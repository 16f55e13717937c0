{{/* What a pod that has Rowtide in it consists of: used by the chart's own server, and by charts that have this one as a
dependency and want Rowtide beside their own container (deploy/helm/agent is one). All take the values of this chart. */}}

{{- define "rowtide.labels" -}}
app.kubernetes.io/name: rowtide
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The configuration file: what the values say, and the listeners and the directory that the container has. */}}
{{- define "rowtide.toml" -}}
{{- $set := dict "data_dir" "/var/lib/rowtide" "listen" (dict "data" "127.0.0.1:8080" "admin" "0.0.0.0:9090") -}}
{{- mergeOverwrite (deepCopy .config) $set | toToml -}}
{{- end }}

{{- define "rowtide.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The container, as it stands among `containers`, or with `restartPolicy: Always` before it among `initContainers`. */}}
{{- define "rowtide.container" -}}
name: rowtide
image: {{ include "rowtide.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --config, /etc/rowtide/rowtide.toml, --log-format, json]
{{- with .Values.env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - {name: admin, containerPort: 9090}
startupProbe:
  httpGet: {path: /startupz, port: admin}
  periodSeconds: 2
  failureThreshold: {{ div (add .Values.startupSeconds 1) 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
# Never about lag or Kafka: a restart would help neither.
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  failureThreshold: 6
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
volumeMounts:
  - {name: rowtide-config, mountPath: /etc/rowtide, readOnly: true}
  - {name: rowtide-data, mountPath: /var/lib/rowtide}
{{- end }}

{{/* A native sidecar: it has started when the tables are loaded and caught up, and the containers of the pod begin then; it
ends after them. */}}
{{- define "rowtide.sidecar" -}}
restartPolicy: Always
{{ include "rowtide.container" . }}
{{- end }}

{{/* The volumes of a pod with a sidecar. The checkpoint lives as long as the pod. */}}
{{- define "rowtide.sidecarVolumes" -}}
- name: rowtide-config
  configMap: {name: {{ .Release.Name }}-rowtide}
- name: rowtide-data
  emptyDir: {}
{{- end }}

{{/* A change of the configuration is a change of the pod, so that it takes effect. */}}
{{- define "rowtide.checksum" -}}
checksum/rowtide: {{ include "rowtide.toml" .Values | sha256sum }}
{{- end }}
