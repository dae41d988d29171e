{{/* PromQL: how many teacher-proxy replicas are worth having. One for each `shardsPerReplica` shards that wait or are
     labelled, a number over all replicas that each of them tells (so max, not sum); where the teacher's own limit is nearly
     used up, not more than there are, since more would only wait with the others. */}}
{{- define "bbdistill.wantedReplicas" -}}
{{- $scaling := .Values.teacherProxy.autoscaling -}}
{{- $own := printf "namespace=%q, pod=~\"%s-.*\"" .Release.Namespace (include "bbdistill.name" (dict "root" . "name" "teacher-proxy")) -}}
{{- $backlog := printf "ceil(max(bbdistill_label_backlog_shards{%s}) / %v)" $own $scaling.shardsPerReplica -}}
{{- $limited := printf "(max(bbdistill_limiter_utilisation_ratio{%s}) >= %v)" $own $scaling.maxLimiterUtilisation -}}
{{- $there := printf "count(up{%s} == 1)" $own -}}
((({{ $backlog }} < {{ $there }}) or {{ $there }}) and on() {{ $limited }}) or {{ $backlog }}
{{- end -}}
