"""A simulated listener: a virtual clock, and the connections that it has, one after the other or side by side."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from answerback.core.framing import Read
from answerback.core.plan import Accept, ActivePlan
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
    """

    listener: v1.Listener
    files: Files
    peer: str
    begun: datetime
    whole_requests: bool = False
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
        self._first = fake_connection(
            self.listener, self.peer, self._plan.random_seed, self._wall_clock, lambda: self.now
        )
        self.transcript = Transcript(self._plan.name)
        self._shown: SimulatedConnection | None = None

    @property
    def accept(self) -> Accept:
        """How the listener treats new connections."""
        return self._plan.accept

    def connect(self) -> SimulatedConnection:
        """Open a connection. Raises Enough."""
        number = len(self.connections) + 1
        if number > 1:
            self.transcript.add(events.Connected(self.now, number))
        info = self._first if number == 1 else next_connection(self._first, number)
        recorder = Recorder(
            self._plan,
            self._faults,
            self._explainers,
            self,
            self.transcript,
            replaced_framing=self._framing if self.whole_requests else None,
        )
        read_bytes = WHOLE.max_bytes if self.whole_requests else READ_BYTES
        connection = SimulatedConnection(number, self, ActivePlan(self._plan), info, recorder, read_bytes)
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
