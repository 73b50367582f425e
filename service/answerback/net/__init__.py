"""Sockets: accepting connections, the two drivers of a session, and a worker's listeners.

`listeners` is the entry point for a worker; `acceptor` accepts connections; `callback` and `coroutine` each drive
one, by what `polled` does; `relay` passes a connection on to an upstream; `deadlines` wakes them.
"""
