"""One record of the journal, as it was read from a region."""

from dataclasses import dataclass
from typing import NamedTuple

from answerback.shared.journal.layout import CONNECTION


@dataclass(frozen=True, slots=True)
class ConnectionKey:
    """The connection of a record."""

    process: int
    listener: int
    """The listener's block."""
    number: int
    port: int
    slot: int
    """The index of the worker."""
    host: str

    @property
    def id(self) -> str:
        """The connection's id, as in templates."""
        return f"{self.process}-{self.number}"

    @property
    def peer(self) -> str:
        """The client's address with its port; empty on a Unix socket."""
        if not self.host:
            return ""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Record(NamedTuple):
    """One record; of a RUN, one of its requests. Times are seconds of the monotonic clock.

    A tuple, because a reading makes thousands of them, and a frozen dataclass takes four times as long to make.
    """

    region: int
    sequence: int
    index: int  # type: ignore[assignment]  # hides the method of tuples
    """Which request of its slot it is."""
    kind: int
    connection: bytes
    time: float
    state: int
    number: int
    """The number of the request on its connection; of an event, what happened."""
    rule: int
    request: bytes
    request_size: int
    """In bytes; of a connection's end, the bytes that it received. `reply_size`: the bytes that it sent."""
    reply: bytes
    reply_size: int
    delayed: float = 0.0
    finished: float = 0.0
    faults: tuple[int, ...] = ()
    note: bytes = b""
    upstream: float = 0.0
    """The upstream's seconds for a forwarded request; below 0 if they are not known, 0 if it was not forwarded."""

    @property
    def position(self) -> tuple[float, int, int, int]:
        """The sort key: time, then region, sequence number and place in it."""
        return self.time, self.region, self.sequence, self.index

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands: region, sequence number and place in it."""
        return self.region, self.sequence, self.index

    @property
    def key(self) -> ConnectionKey:
        """The connection."""
        process, listener, number, port, slot, host = CONNECTION.unpack(self.connection)
        return ConnectionKey(process, listener, number, port, slot, host.rstrip(b"\0").decode("ascii", "replace"))

    @property
    def listener(self) -> int:
        """The listener's block."""
        return int.from_bytes(self.connection[4:8], "little")
