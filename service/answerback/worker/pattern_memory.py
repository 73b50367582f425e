"""The memory budget for all patterns of a worker, including those of earlier plans."""

import weakref
from collections import deque

# Rule: memory may be released in any thread at any line: it is only noted, and accounted for later.

TOTAL_BYTES = 48 << 20


class PatternMemory:
    """Divides a fixed budget among plans as they are compiled; a share is free again when its plan is gone.

    A share is half of the free budget, so that something is always left: connections may keep earlier plans for as
    long as they are open.
    """

    def __init__(self, total: int = TOTAL_BYTES) -> None:
        self._free = total
        self._released: deque[int] = deque()

    def half(self) -> int:
        """Return half of the free budget. `reserve` takes it."""
        while self._released:
            self._free += self._released.popleft()
        return self._free // 2

    def reserve(self, owner: object, size: int) -> None:
        """Take this much of the budget until `owner` is gone."""
        self._free -= size
        weakref.finalize(owner, self._released.append, size).atexit = False
