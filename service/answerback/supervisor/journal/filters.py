"""Filters of exchanges: a filter is compiled once, and applied to records."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import Final

from answerback.core import patterns
from answerback.core.context import RequestContext
from answerback.core.expressions import EvaluationError
from answerback.core.matching import Explainer, Matcher, Mismatch
from answerback.core.shared_view import SharedView
from answerback.language.context import Checking, Compiling
from answerback.language.matching import check_match, compile_match, explain_match
from answerback.language.problems import Enough, InvalidConfig, Problem, Problems
from answerback.shared.journal.layout import NO_RULE, State
from answerback.shared.journal.records import ConnectionKey, Record
from answerback.shared.listener_counters import BLOCK, ListenerCounters
from answerback.supervisor.journal.exchanges import Names
from answerback.v1 import config_pb2 as v1

# Rule: what costs least is compared first; a condition on the bytes comes last.

NOTHING_COUNTED: Final = ListenerCounters(memoryview(bytearray(BLOCK * 8)).cast("Q"), 0)
NO_FILES: Final[Mapping[str, bytes]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A filter as it was asked for; empty fields mean any."""

    listener: str = ""
    rule: str = ""
    connection: str = ""
    peer: str = ""
    match: v1.Match | None = None
    unmatched: bool = False
    faulted: bool = False
    state: State | None = None
    since: float = 0.0
    """Seconds of the monotonic clock."""
    id: str = ""


class NoSuchName(Exception):
    """A filter names a listener or rule that there never was."""

    def __init__(self, field_name: str, name: str) -> None:
        super().__init__(f"there is no {field_name} {name!r}")
        self.field = field_name


@dataclass(frozen=True, slots=True)
class RecordedConnection:
    """The connection of a recorded request, as conditions see it. See `ConnectionInfo`."""

    key: ConnectionKey
    proxy_host: str = ""
    """Not recorded: a filter has no listener with `proxy_protocol`, and so cannot ask for it."""
    chance: Random = field(default_factory=Random)
    local_port: int = 0
    tls: None = None

    @property
    def peer(self) -> tuple[str, int]:
        """The client's address and port."""
        return self.key.host, self.key.port

    @property
    def connection_id(self) -> str:
        """The connection's id."""
        return self.key.id

    @property
    def connection_number(self) -> int:
        """The connection's number."""
        return self.key.number

    @property
    def listener_number(self) -> int:
        """The journal does not record this, so a condition on it does not hold."""
        raise EvaluationError("the journal does not have connection.number")

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """A function that returns the current time."""
        return lambda: datetime.now(UTC)

    def clock(self) -> float:
        """The current time."""
        return monotonic()

    def next_number(self, _cell: int, _max_numbers: int, _window_seconds: float = 0.0, /) -> int | None:
        """Conditions count nothing."""
        return None

    def next_number_of_peer(self, _cell: int, _max_numbers: int, _window_seconds: float = 0.0, /) -> int | None:
        """Conditions count nothing."""
        return None

    def shared_view(self) -> SharedView:
        """Refuse: the journal does not record the shared variables, so a condition on them does not hold."""
        raise EvaluationError("the shared variables are not recorded")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on requests, compiled; and what says why it does not hold."""

    matcher: Matcher
    reason: Explainer

    @classmethod
    def compile(cls, match: v1.Match, path: str) -> "Condition":
        """Compile a condition that came from outside. Raises InvalidConfig."""
        problems = Problems()
        with patterns.compiling(patterns.Compiler()):
            with suppress(Enough):
                check_match(match, path, Checking(problems, NO_FILES))
            if problems.found():
                raise InvalidConfig(problems.found())
            try:
                compiling = Compiling(NO_FILES)
                return cls(compile_match(match, compiling), explain_match(match, compiling))
            except ValueError as error:
                raise InvalidConfig([Problem(path, str(error))]) from None


class Filter:
    """A compiled query."""

    def __init__(self, query: Query, names: Names, alive: frozenset[int], path: str = "filter") -> None:
        """`alive`: the processes that may still complete exchanges. Raises InvalidConfig, NoSuchName."""
        self.query = query
        self._alive = alive
        self._names = names
        self.block = _known("listener", query.listener, names.block(query.listener)) if query.listener else None
        self._rule: int | None = None
        if query.rule:
            if not query.listener:
                raise InvalidConfig([Problem(f"{path}.rule", "needs `listener`: rules belong to listeners")])
            self._rule = _known("rule", query.rule, names.cell(query.listener, query.rule))
        self._peer = query.peer.rpartition(":") if query.peer.count(":") == 1 or "]:" in query.peer else None
        self._is_empty = query == Query()
        self._condition = None if query.match is None else Condition.compile(query.match, f"{path}.match")

    @property
    def follows_state(self) -> bool:
        """Whether a record may fulfil it later, when it is complete."""
        return self.query.state is not None or self.query.faulted

    def fits(self, record: Record) -> bool:
        """Whether a record fulfils everything but the condition on the request."""
        query = self.query
        return (
            self.may_fit(record)
            and not (query.faulted and not record.faults)
            and (query.state is None or query.state == self._state(record))
        )

    def may_fit(self, record: Record) -> bool:
        """Whether a record fulfils everything that does not change until it is complete, but the condition."""
        query = self.query
        return (
            record.time >= query.since
            and (self.block is None or record.listener == self.block)
            and (self._rule is None or record.rule == self._rule)
            and not (query.unmatched and record.rule != NO_RULE)
            and (not query.id or query.id == f"{record.region}.{record.sequence}.{record.index}")
            and (not (query.connection or query.peer) or self._fits_connection(record.key))
        )

    def _fits_connection(self, key: ConnectionKey) -> bool:
        connection = self.query.connection
        return (not connection or key.id == connection) and (not self.query.peer or self.is_peer(key))

    def _state(self, record: Record) -> int:
        lost = record.state == State.IN_PROGRESS and record.key.process not in self._alive
        return State.ABANDONED if lost else record.state

    def is_peer(self, key: ConnectionKey) -> bool:
        """Whether a connection is of the peer asked for."""
        if self._peer is None:
            return key.host == self.query.peer.strip("[]")
        host, _, port = self._peer
        return (key.host, str(key.port)) == (host.strip("[]"), port)

    def matches(self, record: Record) -> bool:
        """Whether a record fulfils it."""
        if self._is_empty:  # as most are: a tenth of the time of a reading
            return True
        if not self.fits(record):
            return False
        return self._condition is None or self._condition.matcher(record.request, self.context(record))

    def why_not(self, record: Record) -> Mismatch | None:
        """Return why the condition on the request does not hold; None if something else does not, or it holds."""
        if self._condition is None or not self.fits(record):
            return None
        return self._condition.reason(record.request, self.context(record))

    def context(self, record: Record) -> RequestContext:
        """Return the context of conditions."""
        connection = RecordedConnection(record.key)
        context = RequestContext(self._names.listener(record.listener), connection, NOTHING_COUNTED)
        context.request, context.number = record.request, record.number
        return context


def _known(field_name: str, name: str, place: int | None) -> int:
    if place is None:
        raise NoSuchName(field_name, name)
    return place
