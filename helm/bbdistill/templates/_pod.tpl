{{/* The settings that every service has. */}}
{{- define "bbdistill.env" -}}
{{- $values := .root.Values -}}
- { name: BBDISTILL_LISTEN, value: {{ printf "%s:%v" $values.listenHost .port | quote }} }
- { name: BBDISTILL_HEALTH_LISTEN, value: {{ printf "%s:7710" $values.listenHost | quote }} }
{{- if $values.telemetry.metrics }}
- { name: BBDISTILL_METRICS_LISTEN, value: {{ printf "%s:7711" $values.listenHost | quote }} }
{{- end }}
- { name: BBDISTILL_STATE, value: /var/lib/bbdistill }
- { name: BBDISTILL_LOG_LEVEL, value: {{ .values.logLevel | quote }} }
{{- if include "bbdistill.hasTokens" .root }}
- { name: BBDISTILL_TOKEN_FILE, value: /etc/bbdistill/auth/token }
{{- else if $values.auth.allowInsecure }}
- { name: BBDISTILL_ALLOW_INSECURE, value: 'true' }
{{- end }}
{{- if $values.tls.existingSecret }}
- { name: BBDISTILL_TLS_CERT_FILE, value: /etc/bbdistill/tls/tls.crt }
- { name: BBDISTILL_TLS_KEY_FILE, value: /etc/bbdistill/tls/tls.key }
{{- if $values.tls.mutual }}
- { name: BBDISTILL_TLS_CLIENT_CA_FILE, value: /etc/bbdistill/tls/ca.crt }
{{- end }}
{{- end }}
- { name: NATS_URL, value: {{ include "bbdistill.natsUrl" .root | quote }} }
- { name: NATS_NAMESPACE, value: {{ $values.nats.namespace | quote }} }
- { name: NATS_REPLICAS, value: {{ $values.nats.replicas | quote }} }
{{- range $what, $env := dict "blobs" "BLOB" "state" "STATE" "queue" "QUEUE" "events" "EVENT" }}
{{- $bytes := index $values.nats.maxBytes $what | int64 }}
{{- if ge $bytes 0 }}
- { name: NATS_MAX_{{ $env }}_BYTES, value: {{ $bytes | quote }} }
{{- end }}
{{- end }}
{{- with include "bbdistill.natsCredential" .root }}
{{- $parts := splitn "=" 2 . }}
- { name: {{ $parts._0 }}, value: /etc/bbdistill/nats-auth/credential }
{{- end }}
{{- if $values.nats.tls.clientSecret }}
- { name: NATS_CA_FILE, value: /etc/bbdistill/nats-tls/ca.crt }
{{- if $values.nats.tls.mutual }}
- { name: NATS_CERT_FILE, value: /etc/bbdistill/nats-tls/tls.crt }
- { name: NATS_KEY_FILE, value: /etc/bbdistill/nats-tls/tls.key }
{{- end }}
{{- end }}
{{- if $values.telemetry.otlpEndpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $values.telemetry.otlpEndpoint | quote }} }
- { name: BBDISTILL_TRACE_SAMPLE_RATIO, value: {{ $values.telemetry.traceSampleRatio | quote }} }
{{- if $values.telemetry.otlpHeadersSecret }}
- { name: OTEL_EXPORTER_OTLP_HEADERS_FILE, value: /etc/bbdistill/otlp/headers }
{{- end }}
{{- end }}
{{- end -}}

{{- define "bbdistill.mounts" -}}
{{- $values := .root.Values -}}
- { name: state, mountPath: /var/lib/bbdistill }
- { name: tmp, mountPath: /tmp }
{{- if include "bbdistill.hasTokens" .root }}
- { name: auth, mountPath: /etc/bbdistill/auth, readOnly: true }
{{- end }}
{{- if $values.tls.existingSecret }}
- { name: tls, mountPath: /etc/bbdistill/tls, readOnly: true }
{{- end }}
{{- if include "bbdistill.natsCredential" .root }}
- { name: nats-auth, mountPath: /etc/bbdistill/nats-auth, readOnly: true }
{{- end }}
{{- if $values.nats.tls.clientSecret }}
- { name: nats-tls, mountPath: /etc/bbdistill/nats-tls, readOnly: true }
{{- end }}
{{- if and $values.telemetry.otlpEndpoint $values.telemetry.otlpHeadersSecret }}
- { name: otlp, mountPath: /etc/bbdistill/otlp, readOnly: true }
{{- end }}
{{- end -}}

{{- define "bbdistill.volumes" -}}
{{- $values := .root.Values -}}
- { name: state, emptyDir: {} }
- { name: tmp, emptyDir: {} }
{{- if include "bbdistill.hasTokens" .root }}
- name: auth
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $values.auth.existingSecret }}
          items:
            {{- if eq .name "orchestrator" }}
            - { key: {{ $values.auth.apiTokenKey }}, path: token }
            - { key: {{ $values.auth.servicesTokenKey }}, path: services-token }
            {{- with $values.auth.callersKey }}
            - { key: {{ . }}, path: callers.yaml }
            {{- end }}
            {{- else }}
            - { key: {{ $values.auth.servicesTokenKey }}, path: token }
            {{- end }}
{{- end }}
{{- if $values.tls.existingSecret }}
- { name: tls, secret: { secretName: {{ $values.tls.existingSecret }}, defaultMode: 0440 } }
{{- end }}
{{- with include "bbdistill.natsCredential" .root }}
{{- $parts := splitn "=" 2 . }}
- name: nats-auth
  secret:
    secretName: {{ $values.nats.auth.existingSecret }}
    defaultMode: 0440
    items:
      - { key: {{ $parts._1 }}, path: credential }
{{- end }}
{{- if $values.nats.tls.clientSecret }}
- { name: nats-tls, secret: { secretName: {{ $values.nats.tls.clientSecret }}, defaultMode: 0440 } }
{{- end }}
{{- if and $values.telemetry.otlpEndpoint $values.telemetry.otlpHeadersSecret }}
- { name: otlp, secret: { secretName: {{ $values.telemetry.otlpHeadersSecret }}, defaultMode: 0440, items: [{ key: headers, path: headers }] } }
{{- end }}
{{- end -}}

{{/* Where a pod may run. GPU components go by their gpu block; the others avoid GPU nodes where they can. */}}
{{- define "bbdistill.placement" -}}
{{- $own := .values -}}
{{- $gpu := ternary (default dict .values.gpu) dict (dig "gpu" "enabled" false .values) -}}
{{- with mergeOverwrite (deepCopy $own.nodeSelector) (default dict $gpu.nodeSelector) }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $own.tolerations (default list $gpu.tolerations) }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with mergeOverwrite (deepCopy $own.affinity) (default dict $gpu.affinity) }}
affinity: {{- toYaml . | nindent 2 }}
{{- else }}
{{- if not $gpu.enabled }}
affinity:
  nodeAffinity:
    {{- /* A preference would lose against spreading. */}}
    {{- if .root.Values.keepOffGpuNodes }}
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - { key: {{ .root.Values.gpuNodeLabel }}, operator: DoesNotExist }
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          matchExpressions:
            - { key: {{ .root.Values.gpuNodeLabel }}, operator: DoesNotExist }
    {{- end }}
{{- end }}
{{- end }}
topologySpreadConstraints:
{{- if $own.topologySpreadConstraints }}
{{- toYaml $own.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "bbdistill.selectorLabels" . | nindent 8 }}
{{- end }}
{{- with $gpu.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The pod of a service. Besides a component's fields: env, mounts, volumes (YAML lists), checksums (YAML map),
     automount (a service-account token). */}}
{{- define "bbdistill.podTemplate" -}}
metadata:
  labels:
    {{- include "bbdistill.labels" . | nindent 4 }}
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with mergeOverwrite (fromYaml (default "{}" .checksums)) .values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "bbdistill.name" . }}
  automountServiceAccountToken: {{ default false .automount }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  {{- include "bbdistill.pullSecrets" .root | nindent 2 }}
  securityContext: {{- include "bbdistill.podSecurityContext" . | nindent 4 }}
  {{- include "bbdistill.placement" . | nindent 2 }}
  containers:
    - name: {{ .name }}
      image: {{ include "bbdistill.image" . | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [serve, {{ .name }}]
      securityContext: {{- include "bbdistill.containerSecurityContext" . | nindent 8 }}
      env:
        {{- include "bbdistill.env" . | nindent 8 }}
        {{- with .env }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .envFromSecret }}
      envFrom:
        - secretRef: { name: {{ . }} }
      {{- end }}
      ports:
        - { name: grpc, containerPort: {{ .port }} }
        - { name: health, containerPort: 7710 }
        {{- if .root.Values.telemetry.metrics }}
        - { name: metrics, containerPort: 7711 }
        {{- end }}
      startupProbe:
        grpc: { port: 7710 }
        periodSeconds: 2
        failureThreshold: 90
      readinessProbe:
        grpc: { port: 7710 }
        periodSeconds: 5
        timeoutSeconds: 3
      # Apart from readiness: a NATS that is away is no reason to start anew.
      livenessProbe:
        grpc: { port: 7710, service: liveness }
        periodSeconds: 15
        timeoutSeconds: 5
        failureThreshold: 4
      resources:
        {{- $resources := deepCopy .values.resources }}
        {{- if dig "gpu" "enabled" false .values }}
        {{- $resources = mergeOverwrite $resources (dict "limits" (dict .values.gpu.resourceName .values.gpu.count)) }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      volumeMounts:
        {{- include "bbdistill.mounts" . | nindent 8 }}
        {{- with .mounts }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "bbdistill.volumes" . | nindent 4 }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The settings of a component that computes. */}}
{{- define "bbdistill.workerEnv" -}}
- { name: BBDISTILL_ENGINE, value: {{ .values.engine | quote }} }
- { name: BBDISTILL_GPU, value: {{ ternary "required" "never" .values.gpu.enabled }} }
- { name: BBDISTILL_JOB_CONCURRENCY, value: {{ .values.jobConcurrency | quote }} }
{{- if .values.gpu.enabled }}
- { name: TF_FORCE_GPU_ALLOW_GROWTH, value: 'true' }
{{- end }}
{{- end -}}

{{- define "bbdistill.workerStrategy" -}}
{{- if and .values.gpu.enabled (eq .values.gpu.strategy "Recreate") -}}
type: Recreate
{{- else -}}
type: RollingUpdate
rollingUpdate: { maxSurge: {{ ternary 0 1 .values.gpu.enabled }}, maxUnavailable: {{ ternary 1 0 .values.gpu.enabled }} }
{{- end -}}
{{- end -}}
