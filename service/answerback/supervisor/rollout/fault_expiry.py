"""Removes faults from the configuration when their time has passed."""

# Rule: no fault with an `expire_time`, no timer.
# Rule: the time of day decides, because it outlives the process. It may step: nothing waits longer than LONGEST_SLEEP.

import asyncio
import logging
from contextlib import suppress
from typing import Final

from answerback.concurrency.tasks import Tasks
from answerback.language.fault_editing import next_expiry
from answerback.language.problems import InvalidConfig
from answerback.shared.counters import CountersExhausted
from answerback.supervisor.errors import ChangeFailed, Stopping
from answerback.supervisor.rollout.changes import Changes
from answerback.supervisor.rollout.rollout import Clock

LONGEST_SLEEP: Final = 5.0  # seconds
RETRY_SECONDS: Final = 1.0  # seconds until a retry if a removal failed

log = logging.getLogger(__name__)


class FaultExpiry:
    """Removes expired faults, once it has begun."""

    def __init__(self, changes: Changes, clock: Clock) -> None:
        self._changes = changes
        self._clock = clock
        self._tasks = Tasks()
        self._running: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on, remove faults that expire."""
        self._running = self._tasks.start(self._run(), failure="stopped removing expired faults")

    def stop(self) -> None:
        """End; a removal that has begun is finished."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while True:
            activated = self._changes.activated.changed()
            expiry = next_expiry(self._changes.current.config)
            left = None if expiry is None else (expiry - self._clock.now_ns()) / 1e9
            if left is not None and left <= 0:
                await self._remove()
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(activated, None if left is None else min(left, LONGEST_SLEEP))

    async def _remove(self) -> None:
        try:
            await self._changes.remove_expired()
        except Stopping:
            self.stop()
        except (ChangeFailed, InvalidConfig, CountersExhausted) as error:
            text = "expired faults were not removed, next attempt in %g s: %s"
            log.error(text, RETRY_SECONDS, error)  # noqa: TRY400 - the text says it all
            await asyncio.sleep(RETRY_SECONDS)
