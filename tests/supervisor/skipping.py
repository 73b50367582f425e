"""A clock of a test's own."""

import asyncio


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it, and else stands still."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__()

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        timers, ready = vars(self)["_scheduled"], vars(self)["_ready"]
        if timers and not ready:
            self._now = max(self._now, timers[0].when())
        super()._run_once()  # type: ignore[misc]
