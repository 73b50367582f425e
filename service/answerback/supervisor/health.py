"""What is fit for traffic, by the names under which balancers and probes ask for it.

`""` and `readiness` say whether connections should be sent here, `listener/NAME` the same of one listener, `liveness`
whether this process works: it may be ready for nothing, and still be the one to say why.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from answerback.supervisor.aio.notifier import Notifier

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"
ALL: Final = ("", READINESS)
LISTENER: Final = "listener/"
DRAINED: Final = "draining"


class Health:
    """The states by name, true for serving; and whoever waits for them to change."""

    def __init__(self) -> None:
        self.reason = "starting"
        """Why it is not serving; empty when it is."""
        self.statuses: Mapping[str, bool] = MappingProxyType(dict.fromkeys(ALL, False) | {LIVENESS: True})
        """Replaced whole by each change."""
        self._changed = Notifier()

    @property
    def serving(self) -> bool:
        """Whether connections should be sent here."""
        return not self.reason

    def wrong(self, name: str) -> str | None:
        """What is wrong with a name; None if nothing is."""
        status = self.statuses.get(name)
        if status is None:
            return f"{name} is not known"
        return None if status else self.reason or DRAINED

    def set(self, reason: str, listeners: Iterable[str], drained: Collection[str] = ()) -> None:
        """Serving, unless there is a `reason` not to; `listeners` by their names, but for those that are drained."""
        self.reason = reason
        statuses = dict.fromkeys(ALL, self.serving) | {LIVENESS: True}
        statuses |= {LISTENER + name: self.serving and name not in drained for name in listeners}
        if statuses != self.statuses:
            self.statuses = MappingProxyType(statuses)
            self._changed.ring()

    async def watch(self) -> AsyncIterator[Mapping[str, bool]]:
        """The states now, and again after each change; changes in quick succession may come as one."""
        seen: Mapping[str, bool] | None = None
        while True:
            while seen is self.statuses:
                await self._changed.next()
            seen = self.statuses
            yield seen
