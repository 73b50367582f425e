"""The memory that the patterns of a worker may take together, those of former plans included."""

import weakref
from collections import deque

# Rule: what is released may be so in any thread, within any line of code: it is only noted, and counted later.

TOTAL_BYTES = 48 << 20


class PatternMemory:
    """Shares a fixed sum out to plans as they are compiled; a plan's share is free again when nothing holds it.

    A share is half of what is free, so that there is always something for the next: connections may keep former plans
    for as long as they last.
    """

    def __init__(self, total: int = TOTAL_BYTES) -> None:
        self._free = total
        self._released: deque[int] = deque()

    def half(self) -> int:
        """Half of what is free now. It is taken by `hold`."""
        while self._released:
            self._free += self._released.popleft()
        return self._free // 2

    def hold(self, owner: object, size: int) -> None:
        """Take so much of it, until `owner` is gone."""
        self._free -= size
        weakref.finalize(owner, self._released.append, size).atexit = False
