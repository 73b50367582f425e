"""Health states, by the names under which load balancers and probes ask for them.

`""` and `readiness` say whether new connections should be sent here, `listener/NAME` the same for one listener,
`liveness` whether this process works: it may be live but not ready.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from answerback.concurrency.notifier import Notifier

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"
ALL: Final = ("", READINESS)
LISTENER: Final = "listener/"
DRAINING: Final = "draining"


class Health:
    """Health states by name, true for serving; notifies watchers of changes."""

    def __init__(self) -> None:
        self.reason = "starting"
        """Why the server is not ready; empty when it is."""
        self.statuses: Mapping[str, bool] = MappingProxyType(dict.fromkeys(ALL, False) | {LIVENESS: True})
        """Replaced as a whole by each change."""
        self._notifier = Notifier()

    @property
    def serving(self) -> bool:
        """Whether new connections should be sent here."""
        return not self.reason

    def reason_for(self, name: str) -> str | None:
        """Return the problem with the state of this name; None if it is healthy."""
        status = self.statuses.get(name)
        if status is None:
            return f"{name} is not known"
        return None if status else self.reason or DRAINING

    def set(self, reason: str, listeners: Iterable[str], drained: Collection[str] = ()) -> None:
        """Set the states: serving unless there is a `reason` not to; the same for `listeners` that are not drained."""
        self.reason = reason
        statuses = dict.fromkeys(ALL, self.serving) | {LIVENESS: True}
        statuses |= {LISTENER + name: self.serving and name not in drained for name in listeners}
        if statuses != self.statuses:
            self.statuses = MappingProxyType(statuses)
            self._notifier.notify()

    async def watch(self) -> AsyncIterator[Mapping[str, bool]]:
        """Yield the states now, and after each change; changes in quick succession may be merged."""
        seen: Mapping[str, bool] | None = None
        while True:
            while seen is self.statuses:
                await self._notifier.changed()
            seen = self.statuses
            yield seen
