"""The conversation, without a network: bytes, time and chance go in, actions come out.

A newcomer's map. A request's way through this room:

    session.Session.receive     bytes come in, with the time
      framing                   cuts them into requests
      plan, matching            find the first rule that matches, in the state that the connection is in
      playing, steps, templates take the rule's steps, one after another, and wait where one waits
      ending                    closes in order, or resets
    actions                     what comes back, for a driver (`answerback.net`) to perform

`plan` holds what a session is told to do: immutable, compiled from a configuration (`language.compile`), swapped by
reference. `ledger` is where a session reports what is to be counted.
"""

# Rule: nothing here reads a clock, the network or a random generator of its own; callers pass them.
# Rule: nothing here imports asyncio, socket, time, logging, protobuf, grpc or yaml.
