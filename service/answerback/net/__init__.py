"""Sockets: accepting connections, the two drivers of a session, and a worker's listeners.

`listeners` is what a worker uses; `acceptor` takes connections in; `callback` and `coroutine` drive one each;
`deadlines` wakes them.
"""
