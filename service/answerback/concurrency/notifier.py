"""Wakes all tasks that wait for a change."""

import asyncio


class Notifier:
    """Wakes all tasks that asked for the next notification. For one event loop."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def changed(self) -> asyncio.Future[None]:
        """A future, done at the next notification. Call it before you check the state, to miss no change."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._next)  # a waiting task may be cancelled; other tasks wait too

    def notify(self) -> None:
        """Wake all waiting tasks."""
        if self._next is not None:
            self._next.set_result(None)
            self._next = None
