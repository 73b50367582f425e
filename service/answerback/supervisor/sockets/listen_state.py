"""The states of a listening socket: open, stalled, refused, closing; set by its queue and the SYN filter.

    state      before the decision (INITIAL, PREPARE)            after it (COMMIT)
    OPEN       listens, filtered if it did not listen       not filtered
    STALLED    the same; its queue is filled                not filtered: no worker accepts
    REFUSED    unchanged                                    filtered until its clients are in (`closing`), then `refuse`
    CLOSING    unchanged                                    filtered until its clients are in, then closed

A socket that did not listen is filtered until the decision, so that a change which fails has answered no client. A
socket that will stop listening is filtered first: no handshake begins any more, and those in progress are completed.
All of this applies to every copy of a socket, in whatever process.
"""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Final

from answerback.core.plan import Accept
from answerback.net.acceptor import BACKLOG
from answerback.net.syn_filter import accept_syns, drop_syns
from answerback.supervisor.sockets import unix

# Rule: a Unix socket is silenced by renaming its file, so that no client finds it.
# Rule: steps that can fail are in INITIAL and PREPARE; UNDO, COMMIT and `refuse` succeed.


class ListenState(Enum):
    """How a listening socket treats new connections."""

    OPEN = "a queue"
    STALLED = "silence"
    REFUSED = "a refusal"
    CLOSING = "silence, until it is closed"


BY_ACCEPT: Final = {Accept.STALL: ListenState.STALLED, Accept.REFUSE: ListenState.REFUSED}


def listen_state_of(accept: Accept) -> ListenState:
    """Return the listen state for a mode; the rest is up to the workers."""
    return BY_ACCEPT.get(accept, ListenState.OPEN)


def listens(sock: socket.socket) -> bool:
    """Whether the socket listens."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def listen(sock: socket.socket) -> None:
    """Start listening. Raises OSError."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # accepted connections inherit it, and outlive it
    sock.listen(BACKLOG)


def keep_queue(sock: socket.socket) -> None:
    """Listen, with a SYN filter if the socket did not listen. Raises OSError."""
    if not listens(sock):
        drop_new(sock)


def hide_file(sock: socket.socket) -> None:
    """Hide the file of a Unix socket from clients. Raises OSError."""
    if sock.family == socket.AF_UNIX:
        unix.hide(sock.getsockname())


def filter_new(sock: socket.socket) -> None:
    """Set the SYN filter, if the socket listens."""
    if sock.family == socket.AF_UNIX:
        with suppress(OSError):  # it is removed or hidden already
            unix.hide(sock.getsockname())
    elif listens(sock):
        drop_syns(sock)


def drop_new(sock: socket.socket) -> None:
    """Listen, and answer no new client; the queue stays. Raises OSError."""
    if sock.family == socket.AF_UNIX:
        unix.hide(sock.getsockname())
    else:
        drop_syns(sock)
    if not listens(sock):
        listen(sock)


def open_queue(sock: socket.socket) -> None:
    """Let new connections queue, on a socket that listens."""
    if sock.family == socket.AF_UNIX:
        unix.show(sock.getsockname())
        return
    sock.listen(BACKLOG)  # after a stall
    accept_syns(sock)


def no_change(_: socket.socket) -> None:
    """Change nothing."""


def refuse(sock: socket.socket) -> None:
    """Stop listening, and keep the address. Queued connections are reset."""
    if sock.family == socket.AF_UNIX:  # a Unix socket could never listen again; it is hidden instead
        unix.hide(sock.getsockname())
        return
    if listens(sock):
        sock.shutdown(socket.SHUT_RDWR)  # at once for every copy, where close() waits for the last one
    accept_syns(sock)
    # With it set, any process that sets it too could listen here.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


Step = Callable[[socket.socket], None]

INITIAL: Final[Mapping[ListenState, Step]] = {
    ListenState.OPEN: drop_new,
    ListenState.STALLED: drop_new,
    ListenState.REFUSED: refuse,
}
"""The way in which a new socket starts in each state."""
PREPARE: Final[Mapping[ListenState, Step]] = {
    ListenState.OPEN: drop_new,
    ListenState.STALLED: keep_queue,
    ListenState.REFUSED: hide_file,
    ListenState.CLOSING: no_change,
}
"""The step towards another state, before the decision."""
UNDO: Final[Mapping[ListenState, Step]] = {
    ListenState.OPEN: open_queue,
    ListenState.STALLED: accept_syns,
    ListenState.REFUSED: drop_new,
    ListenState.CLOSING: drop_new,
}
"""Undoes that step, for a socket that listened, by its earlier state."""
COMMIT: Final[Mapping[ListenState, Step]] = {
    ListenState.OPEN: open_queue,
    ListenState.STALLED: accept_syns,
    ListenState.REFUSED: filter_new,
    ListenState.CLOSING: filter_new,
}
"""The step after the decision."""
