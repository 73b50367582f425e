"""The conversation, without a network: bytes, time and randomness go in, actions come out.

A request's path through this package:

    session.Session.receive_data    receives bytes, with the time
    framing                         splits them into requests
    plan, selection, matching       find the first rule that matches, in the connection's state
    session.playing, steps          take the rule's steps, one after another, and suspend at a wait
    expressions                     values of the request and its connection, for matches and steps
    session.closing                 closes in order, or resets
    actions                         the result, for a driver (`answerback.net`) to perform

`plan` is what a session executes: immutable, compiled from a configuration (`language.compile`), swapped by
reference. Matches, steps, templates and faults are given the request's `context`, never the session. A session reports
its counts to `session_metrics`, and what happens to a `session.observer`, if it has one.
"""

# Rule: nothing here reads a clock, the network or a random generator of its own; callers pass them.
# Rule: nothing here imports asyncio, socket, time, logging, protobuf, grpc or yaml.
