"""Whether the server is ready, and if not, why."""

from answerback.supervisor.health import DRAINED, Health
from answerback.supervisor.options import Timeouts
from answerback.supervisor.rollout.rollout import Rollout
from answerback.supervisor.status import State
from answerback.supervisor.workers.pool import WorkerPool


class Condition:
    """The overall state, for health and status."""

    def __init__(self, health: Health, crew: WorkerPool, rollout: Rollout, pace: Timeouts) -> None:
        self.stopping = False
        self._health = health
        self._crew = crew
        self._rollout = rollout
        self._pace = pace

    @property
    def state(self) -> State:
        """The state as one value."""
        if self.stopping or self._drained:
            return State.DRAINING
        if self._rollout.current is None:
            return State.STARTING
        return State.SERVING if self._health.serving else State.NOT_SERVING

    def look_again(self) -> None:
        """Update health after a change that it may depend on."""
        names = self._rollout.names
        self._health.set(self._what_is_wrong(), names, [*filter(self._rollout.drained.announced, names)])

    def _what_is_wrong(self) -> str:
        if self.stopping:
            return "shutting down"
        if self._rollout.current is None:
            return "starting"
        if self._crew.deaths.too_many:
            many, seconds = self._pace.deaths, self._pace.memory
            return f"{many} workers died within {seconds:g} s, the last one: {self._crew.last_death}"
        if not self._crew.workers:
            return f"no worker is running: {self._crew.last_death}"
        return DRAINED if self._drained else ""

    @property
    def _drained(self) -> bool:
        return self._rollout.drained.everything(self._rollout.names)
