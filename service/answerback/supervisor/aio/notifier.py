"""Waking everybody who waits for something to have changed."""

import asyncio


class Notifier:
    """Rings for whoever asked for the next ring. Of one event loop."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def next(self) -> asyncio.Future[None]:
        """Done at the next ring. Ask before looking at what may change, or a ring in between is missed."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._next)  # who waits may be cancelled, and others wait as well

    def ring(self) -> None:
        """Wake them."""
        if self._next is not None:
            self._next.set_result(None)
            self._next = None
