"""Whether the server is ready, and if not, why."""

from collections.abc import Collection
from typing import Protocol

from answerback.supervisor.health import DRAINING, Health
from answerback.supervisor.status import State

# Rule: the parts of the server report here when something changes; nothing here asks them.


class Drains(Protocol):
    """The listeners that are drained."""

    def announced(self, name: str) -> bool:
        """Whether a listener is drained, or about to be."""

    def everything(self, names: Collection[str]) -> bool:
        """Whether all these listeners are drained."""


class Readiness:
    """Derives the overall state from what is reported, and keeps `Health` up to date."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._stopping = False
        self._started = False
        self._workers_problem = ""
        self._names: Collection[str] = ()
        self._drained: Collection[str] = ()
        self._all_drained = False

    @property
    def state(self) -> State:
        """The state as one value."""
        if self._stopping or self._all_drained:
            return State.DRAINING
        if not self._started:
            return State.STARTING
        return State.SERVING if self._health.serving else State.NOT_SERVING

    def report_stop(self) -> None:
        """The server shuts down."""
        self._stopping = True
        self._refresh()

    def report_workers(self, problem: str) -> None:
        """Workers started or ended. `problem`: why they cannot serve; empty if they can."""
        self._workers_problem = problem
        self._refresh()

    def report_listeners(self, names: Collection[str], drains: Drains) -> None:
        """A configuration with these listeners is active, or drains have changed."""
        self._started = True
        self._names = names
        self._drained = [name for name in names if drains.announced(name)]
        self._all_drained = drains.everything(names)
        self._refresh()

    def _refresh(self) -> None:
        self._health.set(self._problem(), self._names, self._drained)

    def _problem(self) -> str:
        if self._stopping:
            return "shutting down"
        if not self._started:
            return "starting"
        return self._workers_problem or (DRAINING if self._all_drained else "")
