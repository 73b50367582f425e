"""How many calls are served at a time, by their kind, so that none of one kind keeps those of another waiting."""

# Rule: what is too much is refused at once; nothing queues here.

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Final

from answerback.control.authorisation import READ_METHODS
from answerback.control.schema import HEALTH, REFLECTION


class Kind(Enum):
    """Of calls; the value is how they are named to who is refused."""

    PROBE = "health checks"
    READ = "reads"
    CHANGE = "changes"
    WATCH = "watches"
    HEALTH_WATCH = "health watches"
    REFLECTION = "reflection streams"


# A read is answered in a millisecond, a change may wait 5 s for a worker, a watch has no end.
MOST: Final[Mapping[Kind, int]] = {
    Kind.PROBE: 100,
    Kind.READ: 100,
    Kind.CHANGE: 100,
    Kind.WATCH: 100,
    Kind.HEALTH_WATCH: 100,
    Kind.REFLECTION: 20,
}
# Of one connection; past it HTTP/2 has a client's calls wait, its own probes too: so it is more than all of the above.
STREAMS: Final = 1000


class TooManyCalls(Exception):
    """There are as many calls of a kind as there may be."""

    def __init__(self, kind: Kind, most: int) -> None:
        super().__init__(f"{most} {kind.value} at a time are all there may be; try again later")


class Limits:
    """Counts the calls in progress."""

    def __init__(self, most: Mapping[Kind, int] = MOST) -> None:
        self._most = most
        self._now: Counter[Kind] = Counter()

    @contextmanager
    def place(self, kind: Kind) -> Iterator[None]:
        """Holds a place for a call. Raises TooManyCalls."""
        if self._now[kind] >= self._most[kind]:
            raise TooManyCalls(kind, self._most[kind])
        self._now[kind] += 1
        try:
            yield
        finally:
            self._now[kind] -= 1


def kind_of(method: str, *, streaming: bool) -> Kind:
    """What a method (`/package.Service/Method`) is; `streaming`: its answer is a stream."""
    service = method[1:].partition("/")[0]
    if service in REFLECTION:
        return Kind.REFLECTION
    if service == HEALTH:
        return Kind.HEALTH_WATCH if streaming else Kind.PROBE
    if method not in READ_METHODS:
        return Kind.CHANGE
    return Kind.WATCH if streaming else Kind.READ
