"""The control API: the gRPC services over the supervisor, health and reflection.

A call's way: `server` listens, with what guards it (`credentials`: `certificates`, `tokens`); `interceptor` stands
around every method, asks who may call it (`authorisation`) and whether there is room (`limits`); a servicer
(`config_service`, `listener_service`, `operations_service`, `health`) checks, calls the supervisor and maps its answer
to a message.
Whatever is raised on the way becomes a status by the one table in `errors`; `schema` has the descriptors that
reflection shows.
"""

# Rule: servicers are thin: check, call, map. What a change means is the supervisor's to know.
# Rule: nothing that a client sends ends the process, and no exception's text reaches a client unless `errors` names it.
