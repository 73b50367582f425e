"""A record whose script is in progress, and what is known of its reply so far."""

from collections.abc import Sequence

from answerback.core.actions import Action, Send
from answerback.shared.journal.layout import (
    DELAYED_AT,
    DOUBLE,
    FLOAT,
    MAX_FAULTS,
    REST,
    REST_AT,
    UNKNOWN_SECONDS,
    UPSTREAM_AT,
)
from answerback.shared.journal.ring import Ring


def sent_by(actions: Sequence[Action], first: int, most: int) -> tuple[bytes | memoryview, int]:
    """Return what the actions from number `first` on send, at most `most` bytes of it, and how many bytes it is."""
    if len(actions) == first + 1:
        only = actions[first]
        return (only.data[:most], len(only.data)) if type(only) is Send else (b"", 0)
    parts: list[bytes | memoryview] = []
    size = 0
    for action in actions[first:]:
        if type(action) is Send:
            if size < most:
                parts.append(action.data[: most - size])
            size += len(action.data)
    return b"".join(parts), size


class OpenRecord:
    """An exchange or event whose script waits, to which faults apply, or that is forwarded."""

    __slots__ = ("_body", "_faults", "_many", "_size", "_stored", "delayed", "ring", "sequence", "upstream")

    def __init__(self, ring: Ring, sequence: int) -> None:
        self.ring = ring
        self.sequence = sequence
        self.delayed = 0.0
        self.upstream = 0.0  # see `Record.upstream`
        self._body = bytearray()  # of the reply, as much as is kept
        self._size = 0
        self._stored = 0  # bytes of the body that are in the journal already
        self._faults: tuple[int, ...] = ()
        self._many = 0  # faults, those that are not named too

    def sending(self, actions: Sequence[Action], first: int, most: int) -> None:
        """The script has produced these actions, from number `first` on; at most `most` bytes are kept."""
        body, size = sent_by(actions, first, most - len(self._body))
        self._body += body
        self._size += size

    def applied(self, faults: tuple[int, ...]) -> None:
        """The faults with these cells apply to the script."""
        self._many += len(faults)
        self._faults = (*self._faults, *faults)[:MAX_FAULTS]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known that `store` would write."""
        return not (self._size or self.delayed or self._many)

    def forward(self) -> None:
        """The request is passed on: how long the upstream takes is not known."""
        self.upstream = UNKNOWN_SECONDS
        if self.sequence >= self.ring.tail:
            FLOAT.pack_into(self.ring.buffer, self.ring.at(self.sequence) + UPSTREAM_AT, UNKNOWN_SECONDS)

    def store(self, *, whole: bool = False) -> None:
        """Write what is known of the reply, with its body if that has grown much, or is `whole`."""
        ring, sequence = self.ring, self.sequence
        if sequence < ring.tail:
            return  # it was dropped
        body, reply_at = self._body, 0
        grown = len(body) > self._stored if whole else len(body) > 2 * self._stored
        if grown:
            reply_at = ring.store(body)
            self._stored = len(body)
            if sequence < ring.tail:
                return  # to make room for its reply
        at = ring.at(sequence)
        rest = list(REST.unpack_from(ring.buffer, at + REST_AT))
        if grown:
            rest[2], rest[4] = reply_at, len(body)
        rest[3] = self._size
        rest[5:10] = self._many, *(*self._faults, 0, 0, 0, 0)[:MAX_FAULTS]
        rest[12] = self.upstream
        REST.pack_into(ring.buffer, at + REST_AT, *rest)
        DOUBLE.pack_into(ring.buffer, at + DELAYED_AT, self.delayed)
