"""The conversation, without a network: bytes, time and randomness go in, actions come out.

A request's path through this package:

    session.Session.receive     receives bytes, with the time
    framing                     cuts them into requests
    plan, matching              find the first rule that matches, in the connection's state
    playing, steps, templates   take the rule's steps, one after another, and suspend at a wait
    ending                      closes in order, or resets
    actions                     the result, for a driver (`answerback.net`) to perform

`plan` is what a session executes: immutable, compiled from a configuration (`language.compile`), swapped by
reference. A session reports its counts to `session_metrics`.
"""

# Rule: nothing here reads a clock, the network or a random generator of its own; callers pass them.
# Rule: nothing here imports asyncio, socket, time, logging, protobuf, grpc or yaml.
