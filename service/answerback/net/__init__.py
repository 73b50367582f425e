"""Sockets: accepting, the two drivers of a session, listeners coming and going.

`listeners` is what a worker uses; `acceptor` takes connections in; `callback` and `coroutine` drive one each;
`deadlines` wakes them.
"""
