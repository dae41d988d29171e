{{/* Small objects that every service has, each rendered by the service's own folder. */}}

{{- define "bbdistill.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "bbdistill.name" . }}
  labels: {{- include "bbdistill.labels" . | nindent 4 }}
  {{- with .values.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if .headless }}
  clusterIP: None
  {{- else }}
  type: {{ .values.service.type }}
  {{- end }}
  selector: {{- include "bbdistill.selectorLabels" . | nindent 4 }}
  ports:
    {{- /* Gateways and meshes that believe in h2c speak plain text. Not left out with TLS: then the name of the port says gRPC
         in plain text to Istio. */}}
    - { name: grpc, port: {{ default .port .values.service.port }}, targetPort: grpc, protocol: TCP, appProtocol: {{ ternary "https" "kubernetes.io/h2c" (ne .root.Values.tls.existingSecret "") }} }
    - { name: health, port: 7710, targetPort: health, protocol: TCP }
    {{- if .root.Values.telemetry.metrics }}
    - { name: metrics, port: 7711, targetPort: metrics, protocol: TCP }
    {{- end }}
{{- end -}}

{{- define "bbdistill.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "bbdistill.name" . }}
  labels: {{- include "bbdistill.labels" . | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "bbdistill.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "bbdistill.name" . }}
  labels: {{- include "bbdistill.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .values.pdb.maxUnavailable }}
  selector:
    matchLabels: {{- include "bbdistill.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* NetworkPolicy: `callers` are components that may use the gRPC port, `ingress` and `egress` YAML lists of further
     rules. NATS, names and telemetry are reached by everybody. */}}
{{- define "bbdistill.networkPolicy" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "bbdistill.name" . }}
  labels: {{- include "bbdistill.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "bbdistill.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        {{- range .callers }}
        - podSelector: { matchLabels: {{ include "bbdistill.selectorLabels" (dict "root" $root "name" .) | fromYaml | toJson }} }
        {{- end }}
        - podSelector: { matchLabels: {{ include "bbdistill.selectorLabels" (dict "root" $root "name" "test") | fromYaml | toJson }} }
      ports:
        - { port: {{ .port }}, protocol: TCP }
        - { port: 7710, protocol: TCP }
    {{- if and $values.telemetry.metrics $values.networkPolicy.prometheus }}
    - from: {{- toYaml $values.networkPolicy.prometheus | nindent 8 }}
      ports: [{ port: 7711, protocol: TCP }]
    {{- end }}
    {{- with .ingress }}
    {{- . | nindent 4 }}
    {{- end }}
  egress:
    {{- include "bbdistill.egressToNames" . | nindent 4 }}
    {{- if $values.nats.enabled }}
    - to:
        - podSelector: { matchLabels: {{ include "bbdistill.selectorLabels" (dict "root" $root "name" "nats") | fromYaml | toJson }} }
      ports: [{ port: 4222, protocol: TCP }]
    {{- else }}
    {{- include "bbdistill.egressToBlocks" $values.networkPolicy.nats | nindent 4 }}
    {{- end }}
    {{- if $values.telemetry.otlpEndpoint }}
    - to: {{- toYaml $values.networkPolicy.otlp.to | nindent 8 }}
      ports:
        {{- range $values.networkPolicy.otlp.ports }}
        - { port: {{ . }}, protocol: TCP }
        {{- end }}
    {{- end }}
    {{- with .egress }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "bbdistill.egressToNames" -}}
- to: {{- toYaml .root.Values.networkPolicy.dns.to | nindent 4 }}
  ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
{{- end -}}

{{- define "bbdistill.egressToBlocks" -}}
- to:
    {{- range .cidrs }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
  ports:
    {{- range .ports }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- end -}}
