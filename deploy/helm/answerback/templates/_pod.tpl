{{- /* The pod of the Deployment or the StatefulSet. */ -}}
{{- define "answerback.pod" -}}
metadata:
  labels:
    {{- include "answerback.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: answerback
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "answerback.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false # they would set variables ANSWERBACK_PORT_…
  # The drain, and 5 s for starting and ending it.
  terminationGracePeriodSeconds: {{ add .Values.drain.delaySeconds .Values.drain.graceSeconds 5 }}
  securityContext: {{- include "answerback.podSecurity" . | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpread }}
  topologySpreadConstraints:
    {{- range . }}
    - topologyKey: {{ .topologyKey }}
      maxSkew: {{ .maxSkew }}
      whenUnsatisfiable: {{ .whenUnsatisfiable }}
      labelSelector:
        matchLabels: {{- include "answerback.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: answerback
      image: {{ include "answerback.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - serve
        - --config=/etc/answerback/answerback.yaml
        - --watch-config
        - --metrics=0.0.0.0:9464
        - --engine={{ .Values.engine }}
        - --grace={{ .Values.drain.graceSeconds }}s
        - --log-format={{ .Values.log.format }}
        - --log-level={{ .Values.log.level }}
        {{- if .Values.workers }}
        - --workers={{ .Values.workers }}
        {{- end }}
        {{- if .Values.state.enabled }}
        - --state=/var/lib/answerback
        - --keep-revisions={{ .Values.state.keepRevisions | int }}
        {{- end }}
        {{- with .Values.admin }}
        - --admin={{ ternary "0.0.0.0" "127.0.0.1" .exposed }}:50051
        {{- if .tokenSecret.name }}
        - --token-file=/run/secrets/answerback/token/{{ .tokenSecret.key }}
        {{- end }}
        {{- if .readTokenSecret.name }}
        - --read-token-file=/run/secrets/answerback/read-token/{{ .readTokenSecret.key }}
        {{- end }}
        {{- if .tls.secretName }}
        - --admin-cert=/run/secrets/answerback/tls/tls.crt
        - --admin-key=/run/secrets/answerback/tls/tls.key
        {{- if .tls.clientCa }}
        - --admin-client-ca=/run/secrets/answerback/tls/ca.crt
        {{- end }}
        {{- end }}
        {{- end }}
      {{- with .Values.extraEnv }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- range .Values.service.ports }}
        - {name: {{ .name }}, containerPort: {{ .targetPort }}, protocol: TCP}
        {{- end }}
        - {name: metrics, containerPort: 9464, protocol: TCP}
        {{- if .Values.admin.exposed }}
        - {name: admin, containerPort: 50051, protocol: TCP}
        {{- end }}
      startupProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 1
        failureThreshold: 30
      livenessProbe:
        httpGet: {path: /healthz, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      {{- if .Values.drain.delaySeconds }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ .Values.drain.delaySeconds }}}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext: {{- include "answerback.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/answerback, readOnly: true} # no subPath: such a file is never updated
        {{- if .Values.state.enabled }}
        - {name: state, mountPath: /var/lib/answerback}
        {{- end }}
        {{- if .Values.admin.tokenSecret.name }}
        - {name: token, mountPath: /run/secrets/answerback/token, readOnly: true}
        {{- end }}
        {{- if .Values.admin.readTokenSecret.name }}
        - {name: read-token, mountPath: /run/secrets/answerback/read-token, readOnly: true}
        {{- end }}
        {{- if .Values.admin.tls.secretName }}
        - {name: admin-tls, mountPath: /run/secrets/answerback/tls, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ .Values.existingConfigMap | default (include "answerback.fullname" .) }}
    {{- with .Values.admin.tokenSecret.name }}
    - name: token
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.admin.readTokenSecret.name }}
    - name: read-token
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.admin.tls.secretName }}
    - name: admin-tls
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
