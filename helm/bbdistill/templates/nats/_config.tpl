{{/* Where a server of the group is; `as` is who comes. */}}
{{- define "bbdistill.nats.route" -}}
nats://{{ with .as }}{{ . }}@{{ end }}{{ .name }}-{{ .n }}.{{ .name }}-peers:6222
{{- end -}}

{{/* What nats-server reads. An environment variable is named by $. */}}
{{- define "bbdistill.nats.conf" -}}
{{- $nats := .root.Values.nats -}}
{{- $name := include "bbdistill.name" . -}}
server_name: $SERVER_NAME
port: 4222
http_port: 8222
pid_file: "/var/run/nats/nats.pid"
lame_duck_grace_period: "5s"
lame_duck_duration: "30s"
jetstream {
  store_dir: "/data"
  {{- if eq (int $nats.replicas) 1 }}
  # No other server has a copy: what was acknowledged must be on the disk when the power goes.
  sync_interval: always
  {{- end }}
}
{{- if $nats.auth.existingSecret }}
authorization { token: $NATS_TOKEN }
{{- end }}
{{- if $nats.tls.serverSecret }}
tls {
  cert_file: "/etc/nats-tls/tls.crt"
  key_file: "/etc/nats-tls/tls.key"
  ca_file: "/etc/nats-tls/ca.crt"
  verify: {{ $nats.tls.mutual }}
}
{{- end }}
{{- if gt (int $nats.replicas) 1 }}
cluster {
  name: {{ $name | quote }}
  port: 6222
  {{- if $nats.auth.existingSecret }}
  # Else whoever reaches the port joins as a server, which is asked for no token. Routes know users only.
  authorization { user: routes, password: $NATS_TOKEN }
  {{- end }}
  routes: [
    {{- range $n := until (int $nats.replicas) }}
    {{ if $nats.auth.existingSecret }}$NATS_ROUTE_{{ $n }}{{ else }}{{ include "bbdistill.nats.route" (dict "name" $name "n" $n) | quote }}{{ end }}
    {{- end }}
  ]
  {{- if $nats.tls.serverSecret }}
  tls {
    cert_file: "/etc/nats-tls/tls.crt"
    key_file: "/etc/nats-tls/tls.key"
    ca_file: "/etc/nats-tls/ca.crt"
  }
  {{- end }}
}
{{- end }}
{{- end -}}
