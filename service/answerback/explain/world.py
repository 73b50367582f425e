"""A simulated listener: a virtual clock, and the connections that it has, one after the other or side by side."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from answerback.core.framing import Read
from answerback.core.plan import Accept, ActivePlan, ListenerPlan
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.owed import OwedReplies
from answerback.explain import events, plans
from answerback.explain.connection import SimulatedConnection
from answerback.explain.fake_connection import fake_connection, next_connection
from answerback.explain.observer import Recorder
from answerback.explain.transcript import Transcript
from answerback.language.contents import Files
from answerback.v1 import config_pb2 as v1

READ_BYTES: Final = 64 << 10  # bytes read from the peer at once, as the drivers do
WHOLE: Final = Read(1 << 30)


@dataclass
class World:
    """A listener, its clock, and its connections.

    `whole_requests`: what a peer sends at once is a request as rules see it, whatever the framing of the listener.
    `has_replies`: what the upstream sends is given, so that answers wait for it.
    """

    listener: v1.Listener
    files: Files
    peer: str
    begun: datetime
    whole_requests: bool = False
    has_replies: bool = False
    now: float = 0.0
    connections: list[SimulatedConnection] = field(default_factory=list)
    transcript: Transcript = field(init=False)

    def __post_init__(self) -> None:
        """Compile the listener. Raises InvalidConfig."""
        compiled = plans.compiled(self.listener, self.files)
        self._framing = compiled.framing
        self._plan = replace(compiled, framing=WHOLE) if self.whole_requests else compiled
        self._faults = plans.fault_names(self.listener)
        self._explainers = plans.explainers(self.listener, self.files)
        self._last = fake_connection(
            self.listener, self.peer, self._plan.random_seed, self._wall_clock, lambda: self.now
        )
        self.transcript = Transcript(self._plan.name)
        self._shown: SimulatedConnection | None = None

    @property
    def accept(self) -> Accept:
        """How the listener treats new connections."""
        return self._plan.accept

    def connect(self, peer: str | None = None) -> SimulatedConnection:
        """Open a connection from an address, by default that of the connection before. Raises Enough."""
        number = len(self.connections) + 1
        if number > 1:
            former = self._last.peer[0]
            self._last = next_connection(self._last, number, peer or former)
            host = self._last.peer[0]
            self.transcript.add(events.Connected(self.now, number, "" if host == former else host))
        info = self._last
        recorder = Recorder(
            self._plan,
            self._faults,
            self._explainers,
            self,
            self.transcript,
            replaced_framing=self._framing if self.whole_requests else None,
        )
        read_bytes = WHOLE.max_bytes if self.whole_requests else READ_BYTES
        forwarding = _forwarding(self._plan, has_replies=self.has_replies)
        connection = SimulatedConnection(number, self, ActivePlan(self._plan), info, recorder, read_bytes, forwarding)
        recorder.about_to_add = lambda: self._turn_to(connection)
        self.connections.append(connection)
        self._shown = connection
        connection.begin()
        return connection

    def run_until(self, end: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, with everything that is due until then, or until `stop`. Raises Enough."""
        while not stop():
            due = min(self.connections, key=lambda each: each.deadline, default=None)
            if due is None or due.deadline > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, due.deadline)
            due.handle_timer()

    def finish(self) -> None:
        """Let time pass while something is in progress; then report what is left. Raises Enough."""
        while waiting := [each for each in self.connections if each.in_progress]:
            self.run_until(
                min(each.deadline for each in waiting), lambda: not any(each.in_progress for each in waiting)
            )
        for connection in self.connections:
            connection.report_rest()

    def _turn_to(self, connection: SimulatedConnection) -> None:
        """The next event is one of this connection: say so if the one before is another's."""
        if self._shown is not connection:
            self._shown = connection
            self.transcript.add(events.TurnedTo(self.now, connection.number))

    def _wall_clock(self) -> datetime:
        return self.begun + timedelta(seconds=self.now)


def _forwarding(plan: ListenerPlan, *, has_replies: bool) -> Forwarding | None:
    """Return what a session needs that forwards requests; None without an upstream."""
    if plan.upstream is None:
        return None
    framing = plan.upstream.framing
    return Forwarding(OwedReplies(framing) if framing is not None and has_replies else None)
