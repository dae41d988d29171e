{{/* Names, labels and the parts that the components' pods share. Every template takes a component:
     (dict "root" $ "name" "teacher-proxy" "values" .Values.teacherProxy "port" 7701). */}}

{{- define "bbdistill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- if contains $chart .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $chart | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "bbdistill.name" -}}
{{ include "bbdistill.fullname" .root }}-{{ .name }}
{{- end -}}

{{- define "bbdistill.chartLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: bbdistill
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Never changed: a Deployment's selector can't be. */}}
{{- define "bbdistill.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "bbdistill.labels" -}}
{{ include "bbdistill.selectorLabels" . }}
{{ include "bbdistill.chartLabels" .root }}
{{- end -}}

{{- define "bbdistill.imageOf" -}}
{{- $repository := .repository -}}
{{- if .registry -}}{{- $repository = printf "%s/%s" (trimSuffix "/" .registry) .repository -}}{{- end -}}
{{- if .digest -}}{{ printf "%s@%s" $repository .digest }}{{- else -}}{{ printf "%s:%s" $repository (.tag | toString) }}{{- end -}}
{{- end -}}

{{- define "bbdistill.image" -}}
{{- $values := .root.Values -}}
{{- $image := pick $values.image "registry" "repository" "tag" "digest" -}}
{{- if dig "gpu" "enabled" false .values -}}{{- $image = mergeOverwrite (deepCopy $image) $values.gpuImage -}}{{- end -}}
{{- $own := default dict .values.image -}}
{{- $image = mergeOverwrite (deepCopy $image) $own -}}
{{- if and $own.tag (not $own.digest) -}}{{- $_ := set $image "digest" "" -}}{{- end -}}
{{- if not $image.tag -}}{{- $_ := set $image "tag" .root.Chart.AppVersion -}}{{- end -}}
{{- include "bbdistill.imageOf" $image -}}
{{- end -}}

{{- define "bbdistill.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "bbdistill.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "bbdistill.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* The Service that others reach; headless ones name every replica, so that clients spread their calls. */}}
{{- define "bbdistill.address" -}}
{{ include "bbdistill.name" . }}.{{ .root.Release.Namespace }}.svc:{{ .port }}
{{- end -}}

{{- define "bbdistill.natsUrl" -}}
{{- if .Values.nats.enabled -}}
{{ ternary "tls" "nats" (ne .Values.nats.tls.serverSecret "") }}://{{ include "bbdistill.fullname" . }}-nats.{{ .Release.Namespace }}.svc:4222
{{- else -}}
{{ .Values.nats.url }}
{{- end -}}
{{- end -}}

{{- define "bbdistill.hasTokens" -}}
{{- if and .Values.auth.existingSecret (not .Values.auth.allowInsecure) -}}true{{- end -}}
{{- end -}}

{{/* Which key of nats.auth.existingSecret is shown to NATS, and by which setting. */}}
{{- define "bbdistill.natsCredential" -}}
{{- $auth := .Values.nats.auth -}}
{{- if $auth.existingSecret -}}
{{- if $auth.credsKey -}}NATS_CREDS_FILE={{ $auth.credsKey }}
{{- else if $auth.nkeyKey -}}NATS_NKEY_FILE={{ $auth.nkeyKey }}
{{- else -}}NATS_TOKEN_FILE={{ $auth.tokenKey }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* True where the orchestrator decides how many pods a worker has, so that the chart must not. */}}
{{- define "bbdistill.isScaled" -}}
{{- if and .root.Values.scaler.enabled (has .name (list "synthesis" "student-trainer")) -}}true{{- end -}}
{{- end -}}

{{/* How a command that calls the orchestrator shows who it is, as a YAML list; `folder` holds the certificates of
     tls.existingSecret. */}}
{{- define "bbdistill.callerFlags" -}}
{{- $values := .root.Values -}}
{{- if include "bbdistill.hasTokens" .root }}
- --token-env
- BBDISTILL_TOKEN
{{- end }}
{{- if $values.tls.existingSecret }}
- --ca-file
- {{ .folder }}/ca.crt
{{- if $values.tls.mutual }}
- --cert-file
- {{ .folder }}/tls.crt
- --key-file
- {{ .folder }}/tls.key
{{- end }}
{{- end }}
{{- end -}}
