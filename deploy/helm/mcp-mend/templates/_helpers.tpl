{{- define "mcp-mend.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "mcp-mend.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "mcp-mend.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "mcp-mend.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mcp-mend.selector" -}}
app.kubernetes.io/name: {{ include "mcp-mend.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mcp-mend.labels" -}}
{{ include "mcp-mend.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "mcp-mend.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What the values say, with what the chart itself decides on top. */}}
{{- define "mcp-mend.config" -}}
{{- $own := dict
  "listen" "0.0.0.0:8808"
  "admin" (printf "0.0.0.0:%d" (int .Values.admin.port))
  "no_admin_page" (not .Values.admin.page)
  "public_url" (required "publicUrl: the address that clients use, as in https://mcp.example.com" .Values.publicUrl)
  "upstream" (dict "url" (required "upstream: the MCP server, as in http://mcp-server:3000" .Values.upstream)) -}}
{{- if .Values.upstreamCa.secretName -}}
{{- $_ := set $own.upstream "ca_file" "/etc/mcp-mend/ca/ca.crt" -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $own "tls" (dict "cert_file" (list "/etc/mcp-mend/tls/tls.crt") "key_file" (list "/etc/mcp-mend/tls/tls.key")) -}}
{{- end -}}
{{- if .Values.seal.secretName -}}
{{- $files := list -}}
{{- range .Values.seal.keys }}{{ $files = append $files (printf "/etc/mcp-mend/seal/%s" .) }}{{ end -}}
{{- $_ := set $own "seal" (dict "key_files" $files) -}}
{{- end -}}
{{- if .Values.captures.enabled -}}
{{- $_ := set $own "capture" (dict "dir" "/captures") -}}
{{- end -}}
{{- include "mcp-mend.toml" (dict "at" "" "table" (mergeOverwrite (deepCopy .Values.config) $own)) -}}
{{- end -}}

{{/* TOML. Helm's own toToml writes every number of the values as a float. JSON's strings, numbers, switches and lists
are TOML's as well. A table's own keys come before the tables in it. */}}
{{- define "mcp-mend.toml" -}}
{{- $at := .at -}}
{{- range $key, $value := .table -}}
{{- if not (or (kindIs "map" $value) (and (kindIs "slice" $value) $value (kindIs "map" (first $value)))) }}
{{ $key }} = {{ toJson $value }}
{{- end -}}
{{- end -}}
{{- range $key, $value := .table -}}
{{- $name := $at | empty | ternary $key (printf "%s.%s" $at $key) -}}
{{- if kindIs "map" $value }}

[{{ $name }}]
{{- include "mcp-mend.toml" (dict "at" $name "table" $value) -}}
{{- else if and (kindIs "slice" $value) $value (kindIs "map" (first $value)) -}}
{{- range $value }}

[[{{ $name }}]]
{{- include "mcp-mend.toml" (dict "at" $name "table" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
