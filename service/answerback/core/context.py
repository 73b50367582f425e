"""What matches, steps, expressions and faults can access: the request being answered, and its connection."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from answerback.core.bounded_counter import BoundedCounters
from answerback.core.tls import TlsNames

if TYPE_CHECKING:
    from answerback.core.faults import ConnectionFaultState, Fault
    from answerback.core.matching.base import Mismatch
    from answerback.core.session_metrics import SessionMetrics
    from answerback.core.shared_view import SharedView
    from answerback.core.steps import Step

# Rule: values that are costly to obtain (the peer's address, a variable) are looked up on demand.
# Rule: a match may set captures. Steps and templates change nothing here: the session carries out their results.


MAX_APPLIED_FAULTS: Final = 32  # as many as a listener may have


def no_clock() -> float:
    """Return 0: nothing is counted by time where there is no connection."""
    return 0.0


class Captures(Protocol):
    """The groups of the pattern that made the rule match (an RE2 match)."""

    def group(self, group: int | str, /) -> bytes | None:
        """The bytes of the group; None if it took no part. IndexError if there is no such group."""


class ConnectionInfo(Protocol):
    """A connection and its listener, as a session needs them."""

    @property
    def connection_id(self) -> str:
        """The connection's id, unique within this run."""

    @property
    def connection_number(self) -> int:
        """The connection's number in this process, which is part of its id."""

    @property
    def listener_number(self) -> int:
        """The connection's number among those of its listener, from 1, over all workers; drawn where it is used."""

    @property
    def peer(self) -> tuple[str, int]:
        """The client's address and port; ("", 0) on a Unix socket."""

    @property
    def proxy_host(self) -> str:
        """The address of the proxy that has named the client; empty if none has, or by a Unix socket."""

    @property
    def local_port(self) -> int:
        """The local port; 0 on a Unix socket."""

    @property
    def tls(self) -> TlsNames | None:
        """What the client said in its TLS handshake; None without TLS."""

    @property
    def chance(self) -> random.Random:
        """The listener's random generator; nothing else may be used for randomness."""

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """A function that returns the current time, UTC."""

    def clock(self) -> float:
        """The current time, by the clock that a session's `now` is from."""

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of the listener. See `bounded_counter.NextNumber`."""

    def next_number_of_peer(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of this peer. See `bounded_counter.NextNumber`."""

    def shared_view(self) -> "SharedView":
        """A view of the shared variables, for one event."""


class SessionConnection(ConnectionInfo, Protocol):
    """A connection as its session knows it, with what the session reports to it."""

    def connection_key(self) -> tuple[int, str, int]:
        """Return the connection's number in this process, and the client's address and port, for the journal."""

    def unexpected(self, rule: str, explain: "Callable[[], Mismatch]", /) -> None:
        """A frame is not what a rule's script expects; `explain`, which is slow, says why."""

    def give_signal(self, name: str, /) -> None:
        """A script gives a signal."""

    def await_signal(self, name: str, /) -> None:
        """A script waits for a signal: call `Session.signal_granted` once it is given."""

    def forgo_signal(self) -> None:
        """The script waits no longer."""


class RareState:
    """State that few connections need, created on first use."""

    __slots__ = ("answered", "fault_states", "received_reply", "rule_counters", "upstream_error", "variables")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.variables: dict[str, bytes] = {}
        self.rule_counters: BoundedCounters[str] = BoundedCounters(clock)
        self.fault_states: dict[Fault, ConnectionFaultState] = {}
        self.upstream_error = ""
        self.answered = self.received_reply = b""


class RequestContext:
    """A request, or another event, that is being answered, and the state of its connection.

    A session makes it when the first rule is searched for: few of the connections that are idle have one.
    """

    __slots__ = (
        "_connection",
        "_metrics",
        "_rare",
        "applied_faults",
        "captures",
        "chosen_steps",
        "listener",
        "number",
        "request",
        "shared_view",
        "state",
    )

    applied_faults: tuple[int, ...]
    """The cells of the faults that applied since this was last emptied, the newest ones."""
    captures: Captures | None
    """The groups of the rule's pattern; None if the rule matched without a pattern."""
    chosen_steps: "tuple[Step, ...]"
    """The steps of the rule that matched last; set only if they depend on how often it has matched."""
    listener: str
    """The listener's name."""
    number: int
    """The request's number on its connection, from 1; 0 before the first."""
    request: bytes
    """The request as rules see it; empty for other events."""
    shared_view: "SharedView | None"
    """What this event sees of the shared variables; None until it looks, and again after a step that waits."""
    state: str
    """The connection's state: `in_states` of rules refers to it."""

    def __init__(self, listener: str, connection: ConnectionInfo | None, metrics: "SessionMetrics") -> None:
        self.listener = listener
        self.request = b""
        self.captures = None
        self.applied_faults = ()
        self.number = 0
        self.state = ""
        self.shared_view = None
        self._connection = connection
        self._metrics = metrics
        self._rare: RareState | None = None

    @property
    def variables(self) -> dict[str, bytes]:
        """The variables that `set` and `receive` have stored on this connection."""
        return self._own.variables

    @property
    def rule_counters(self) -> BoundedCounters[str]:
        """How often rules that count per connection have matched, by name."""
        return self._own.rule_counters

    @property
    def fault_states(self) -> "dict[Fault, ConnectionFaultState]":
        """The state of the faults that are decided or counted for each connection."""
        return self._own.fault_states

    @property
    def upstream_error(self) -> str:
        """Why the last connection to the upstream could not be made; empty if none has failed."""
        return "" if self._rare is None else self._rare.upstream_error

    @upstream_error.setter
    def upstream_error(self, error: str) -> None:
        self._own.upstream_error = error

    @property
    def answered(self) -> bytes:
        """The request that the upstream's reply answers; empty if none was owed one. The reply is in `request`."""
        return self._own.answered

    @property
    def received_reply(self) -> bytes:
        """The upstream's reply, as it was received."""
        return self._own.received_reply

    def set_reply(self, reply: bytes, received: bytes, answered: bytes, number: int) -> None:
        """A reply of the upstream is the content that rules see: `request` is the reply."""
        own = self._own
        own.answered, own.received_reply = answered, received
        self.request, self.number = reply, number
        self.captures = self.shared_view = None

    @property
    def _own(self) -> "RareState":
        rare = self._rare
        if rare is None:
            rare = self._rare = RareState(self.clock)
        return rare

    @property
    def shared(self) -> "SharedView":
        """The variables that all connections share, as this event sees them."""
        view = self.shared_view
        if view is None:
            view = self.shared_view = self._here.shared_view()
        return view

    def fault_applied(self, cell: int) -> None:
        """Count that the fault with this cell applies."""
        self._metrics.fault_applied(cell)
        self.applied_faults = (*self.applied_faults, cell)[-MAX_APPLIED_FAULTS:]

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of the listener. See `bounded_counter.NextNumber`."""
        return self._here.next_number(cell, max_numbers, window_seconds)

    def next_number_of_peer(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Count for all connections of this peer. See `bounded_counter.NextNumber`."""
        return self._here.next_number_of_peer(cell, max_numbers, window_seconds)

    @property
    def connection_id(self) -> str:
        """The connection's id. This and what follows is described in `ConnectionInfo`."""
        return self._here.connection_id

    @property
    def listener_number(self) -> int:
        """The connection's number among those of its listener."""
        return self._here.listener_number

    @property
    def peer(self) -> tuple[str, int]:
        """The client's address and port."""
        return self._here.peer

    @property
    def proxy_host(self) -> str:
        """The address of the proxy that has named the client."""
        return self._here.proxy_host

    @property
    def local_port(self) -> int:
        """The local port."""
        return self._here.local_port

    @property
    def tls(self) -> TlsNames | None:
        """What the client said in its TLS handshake."""
        return self._here.tls

    @property
    def chance(self) -> random.Random:
        """The listener's random generator."""
        return self._here.chance

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """A function that returns the current time, UTC."""
        return self._here.wall_clock

    @property
    def clock(self) -> Callable[[], float]:
        """A function that returns the current time, by the clock that a session's `now` is from."""
        return no_clock if self._connection is None else self._connection.clock

    @property
    def _here(self) -> ConnectionInfo:
        assert self._connection is not None, "the connection is gone"
        return self._connection
