"""A conversation with a session, written as it goes: `>>` is an input, `<<` the action that must follow.

    playbook(session) >> b"PING\\n" << Send(b"+PONG\\n")
    ... >> after(0.25) << Send(b"ok\\n") << HalfClose()

The playbook is the third driver: it takes everything at once, tells the session so, and knows no time but its own.

A test that ends with actions it did not expect fails at its end. One that looks at `transcript` instead says `unheard`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from answerback.core.actions import Abort, Action, Send
from answerback.core.bounded_counter import BoundedCounters
from answerback.core.matching import Mismatch
from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.core.session import Session
from answerback.core.session_metrics import SessionMetrics
from answerback.core.tls import Handshakes, TlsNames
from answerback.explain.fake_connection import LocalVariables
from answerback.net.layers import inner_layers


@dataclass(frozen=True)
class After:
    """This number of seconds passes."""

    seconds: float


@dataclass(frozen=True)
class Happening:
    """The session's input of this name."""

    name: str


after = After
eof = Happening("eof")
fin = Happening("fin")
drain = Happening("drain")
connected = Happening("connected")


@dataclass
class Account(SessionMetrics):
    """A ledger that remembers."""

    rules: list[int] = field(default_factory=list)
    unmatched_requests: int = 0
    events: list[int] = field(default_factory=list)
    strikes: list[int] = field(default_factory=list)
    unexpected: list[int] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    truncations: int = 0
    handshakes: list[Handshakes] = field(default_factory=list)

    def requested(self, rule: int, requests: int) -> None:
        self.rules += [rule] * requests

    def unmatched(self, requests: int) -> None:
        self.unmatched_requests += requests

    def matched(self, rule: int) -> None:
        self.events.append(rule)

    def fault_applied(self, fault: int) -> None:
        self.strikes.append(fault)

    def unexpected_frame(self, cell: int) -> None:
        self.unexpected.append(cell)

    def answered(self, seconds: float, requests: int) -> None:
        self.durations += [seconds] * requests

    def delayed(self, seconds: float) -> None:
        self.delays.append(seconds)

    def truncated(self) -> None:
        self.truncations += 1

    def handshake(self, outcome: Handshakes) -> None:
        self.handshakes.append(outcome)


@dataclass
class Somewhere:
    """A connection that is known beforehand; counters are its own."""

    connection_id: str = "7-1"
    connection_number: int = 1
    peer: tuple[str, int] = ("192.0.2.1", 40000)
    local_port: int = 8000
    chance: Random = field(default_factory=lambda: Random(1))
    unexpected_frames: list[tuple[str, str]] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0  # no time passes while a session works
    listener_number: int = 1
    proxy_host: str = ""
    tls: TlsNames | None = None
    variables: LocalVariables = field(default_factory=LocalVariables)
    counters: BoundedCounters[int] = field(init=False)
    peer_counters: BoundedCounters[tuple[int, str]] = field(init=False)
    signals: list[str] = field(default_factory=list)
    """What scripts did with signals, in order: `give NAME`, `await NAME`, `forgo`."""

    def __post_init__(self) -> None:
        self.counters = BoundedCounters(lambda: self.clock())  # noqa: PLW0108 - tests assign another clock
        self.peer_counters = BoundedCounters(lambda: self.clock())  # noqa: PLW0108 - the same

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        return lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        return self.counters.next_number(cell, max_numbers, window_seconds)

    def connection_key(self) -> tuple[int, str, int]:
        return self.connection_number, *self.peer

    def next_number_of_peer(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        return self.peer_counters.next_number((cell, self.peer[0]), max_numbers, window_seconds)

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        self.unexpected_frames.append((rule, explain().why))

    def give_signal(self, name: str, /) -> None:
        self.signals.append(f"give {name}")

    def await_signal(self, name: str, /) -> None:
        self.signals.append(f"await {name}")

    def forgo_signal(self) -> None:
        self.signals.append("forgo")

    def shared_view(self) -> LocalVariables:
        return self.variables


opened: list["Playbook"] = []
"""The playbooks of the test that runs; see `tests/conftest.py`."""


def unexpected() -> list[list[Action]]:
    """The actions that playbooks hold and the test did not expect, by playbook. Forgets the playbooks."""
    left = [book.heard for book in opened if book.heard]
    opened.clear()
    return left


class Playbook:
    """Plays one session. `room` is how many bytes the kernel takes before it blocks; None for all."""

    def __init__(self, plan: ListenerPlan, room: int | None = None, connection: Somewhere | None = None) -> None:
        self.now = 1000.0
        self.account = Account()
        self.active = ActivePlan(plan)
        session = Session(self.active, self.account, self.now, connection or Somewhere())
        self.session = inner_layers(session, self.active)
        self.room = room
        self.heard: list[Action] = []
        self.transcript: list[tuple[float, Action]] = []
        opened.append(self)
        self.turns = 0  # given, after one was used up

    def __rshift__(self, happening: bytes | After | Happening) -> "Playbook":
        assert not self.heard, f"not expected: {self.heard}"
        if isinstance(happening, bytes):
            self._perform(self.session.receive_data(happening, self.now))
        elif isinstance(happening, After):
            self._pass(happening.seconds)
        elif happening == eof:
            self._perform(self.session.receive_eof(self.now))
        elif happening == fin:
            self._perform(self.session.note_fin(self.now))
        elif happening == drain:
            self._perform(self.session.drain(self.now))
        else:
            self._perform(self.session.connection_made(self.now))
        return self

    def __lshift__(self, expected: Action) -> "Playbook":
        assert self.heard, f"silent, not {expected}"
        heard = self.heard.pop(0)
        if isinstance(expected, Send) and isinstance(heard, Send):
            data = bytes(heard.data)  # however the replies were cut
            while len(data) < len(expected.data) and self.heard and isinstance(self.heard[0], Send):
                data += self.heard.pop(0).data  # type: ignore[union-attr]
            heard, rest = Send(data[: len(expected.data)]), data[len(expected.data) :]
            if rest:
                self.heard.insert(0, Send(rest))
        assert heard == expected
        return self

    def silent(self) -> "Playbook":
        """Nothing is answered."""
        assert not self.heard, f"not expected: {self.heard}"
        return self

    def unheard(self) -> "Playbook":
        """Expect whatever was answered so far: the test looks at `transcript`, or at something else."""
        self.heard.clear()
        return self

    def read(self, size: int | None = None) -> "Playbook":
        """The peer reads: the kernel has room for this number of further bytes, or for all."""
        self.room = None if size is None else (self.room or 0) + size
        self._perform(())
        return self

    def _pass(self, seconds: float) -> None:
        end, back = self.now + seconds, False
        while self.session.deadline <= end:
            self.now = max(self.now, self.session.deadline)
            before = self.session.deadline
            self._perform(self.session.handle_timer(self.now))
            script = self.session.conversation.script
            waits_no_time = (
                script is not None and script.resume_at <= self.now
            )  # so the script goes on, and it has an end
            # A layer may have two things due at one time: its own, and a timer of the session.
            passed_on = not isinstance(self.session, Session)
            # A tick may set a framing by which the request was complete before: due at once, but once only.
            was_back, back = back, self.session.deadline < before
            moved_on = self.session.deadline > before or self.session.over or waits_no_time or passed_on
            assert moved_on or (back and not was_back), "woken for nothing, and not moved on"
        self.now = end

    def _perform(self, actions: Sequence[Action]) -> None:
        session = self.session
        while True:
            self.heard += actions
            self.transcript += [(self.now, action) for action in actions]
            sent = sum(len(action.data) for action in actions if isinstance(action, Send))
            if self.room is not None and not any(isinstance(action, Abort) for action in actions):
                self.room -= sent
                if self.room < 0:
                    session.writing_paused(self.now)
                    return
            if session.awaits_flush:
                actions = session.writing_resumed(self.now)
            elif session.wants_turn:
                self.turns += 1
                actions = session.take_turn(self.now)
            else:
                return
