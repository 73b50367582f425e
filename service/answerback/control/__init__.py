"""The admin API: the gRPC services of the supervisor, health and reflection.

The path of a call: `server` listens, protected by `credentials` (`certificates`, `tokens`); `interceptor` wraps every
method, checks the caller's permission (`authorisation`) and the limits (`limits`); a servicer (`config_service`,
`listener_service`, `operations_service`, `health`) checks the request, calls the supervisor and maps its result to a
message.

Every exception becomes a status by the one table in `errors`; `schema` has the descriptors that reflection shows.
"""

# Rule: servicers are thin: check, call, map. The logic of a change is in the supervisor.
# Rule: no request can end the process, and no exception's text reaches a client unless `errors` allows it.
