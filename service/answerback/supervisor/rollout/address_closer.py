"""Stops listening at addresses without losing a client in mid-handshake.

    announced   workers remove the SYN filter from connections that they accept there from now on
    filtered    no handshake begins any more; workers still accept, whatever the change says
    finished    no handshake is in progress, or its time is over: workers accept the rest and stop; the sockets are
                closed, or refuse clients from then on

A change is acknowledged when its addresses are filtered. Addresses that are not finished then are finished between
later changes.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import AnnounceSynFilters, Command, StopAccepting
from answerback.net.syn_filter import drops_syns
from answerback.supervisor.sockets.handshakes import in_progress
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerProcess

# Rule: workers get a command before a SYN filter is set, and all sockets of an address have it before one is closed:
#       otherwise the kernel would give its handshakes to the others, which reset them.
# Rule: two readings, some time apart, have to find no handshake: at the first, another processor may still be handling
#       a SYN that arrived before the filter was set.
# Rule: nothing here fails a change: it is decided already.

HANDSHAKE_SECONDS: Final = 1.0  # seconds that a handshake may take: a lost packet is sent again after 1 s
UNKNOWN_SECONDS: Final = 0.25  # seconds to wait if the kernel does not report handshakes
POLL_SECONDS: Final = 0.02
SYN_SECONDS: Final = 0.01  # seconds until the kernel reports a handshake whose SYN another processor is still handling

log = logging.getLogger(__name__)


class AddressCloser:
    """Finishes the addresses in `Sockets.closing`."""

    def __init__(self, sockets: Sockets, pool: WorkerPool, serial: SerialRunner) -> None:
        """`serial` runs the changes; addresses are finished between two of them."""
        self._sockets = sockets
        self._pool = pool
        self._serial = serial
        self._since: dict[str, float] = {}
        self._tasks = Tasks()
        self._finishing: asyncio.Task[None] | None = None

    async def announce_syn_filters(self, workers: Sequence[WorkerProcess], keys: Collection[str]) -> list[str]:
        """Announce SYN filters at these addresses; return the errors."""
        command = Command(announce_syn_filters=AnnounceSynFilters(sockets=keys))
        return await self._pool.ask_all(workers, command, "syn_filters_announced") if keys else []

    async def begin(self) -> None:
        """A change is committed: finish addresses without handshakes now, and the others later.

        The caller holds the lock of `serial`.
        """
        now = monotonic()
        closing = self._sockets.closing
        self._since = {key: self._since.get(key, now) for key in closing}
        await self._finish(await self._ready())
        if self._since and self._finishing is None:
            failure = "some removed addresses may still be listened on"
            self._finishing = self._tasks.start(self._finish_all(), failure=failure)

    async def silence_all(self, within_seconds: float) -> None:
        """Set SYN filters everywhere; return when no handshake is in progress, or after this time."""
        self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(within_seconds, HANDSHAKE_SECONDS)), self._serial.between():
                await self._silence_all()

    def stop(self) -> None:
        """Stop finishing addresses."""
        if self._finishing is not None:
            self._finishing.cancel()

    async def _silence_all(self) -> None:
        await self.announce_syn_filters(self._pool.change_targets, self._sockets.keys)
        self._sockets.silence_all()
        self._since = dict.fromkeys(self._sockets.closing, monotonic())
        while len(await self._ready()) < len(self._since):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(POLL_SECONDS)

    async def _finish_all(self) -> None:
        try:
            while self._since:
                await asyncio.sleep(POLL_SECONDS)
                ready = await self._ready()
                self._since = {key: since for key, since in self._since.items() if key in self._sockets.closing}
                if ready:
                    async with self._serial.between():
                        await self._finish(ready)
        finally:
            self._finishing = None

    async def _finish(self, keys: Collection[str]) -> None:
        """Let workers stop accepting at these addresses, unless they are used again, and close them."""
        keys = [key for key in keys if key in self._sockets.closing]
        if keys:
            command = Command(stop_accepting=StopAccepting(sockets=keys))
            for error in await self._pool.ask_all(self._pool.change_targets, command, "stopped_accepting"):
                log.warning("connections that were queued may be lost: %s", error)
            self._sockets.finish(keys, self._pool.served_slots)
        self._sockets.forget_fillers()
        for key in keys:
            self._since.pop(key, None)

    async def _ready(self) -> list[str]:
        """Return the keys of addresses that may be finished now."""
        ready = await self._without_handshakes(list(self._since))
        closing = self._sockets.closing
        if any(drops_syns(sock) for key in ready for sock in closing.get(key, ())):
            await asyncio.sleep(SYN_SECONDS)
            ready = await self._without_handshakes(ready)
        return ready

    async def _without_handshakes(self, keys: Sequence[str]) -> list[str]:
        """Return those of the keys at whose addresses no handshake is in progress, or its time is over."""
        return [key for key in keys if await self._is_without_handshakes(key)]

    async def _is_without_handshakes(self, key: str) -> bool:
        sockets, since = self._sockets.closing.get(key), self._since.get(key)
        if sockets is None or since is None:  # finished, or used again, since the caller has looked
            return False
        silent = [sock for sock in sockets if drops_syns(sock)]
        if not silent:  # Unix sockets have no handshake; on others new ones begin all the time: waiting is useless
            return True
        waited = monotonic() - since
        if waited > HANDSHAKE_SECONDS:
            return True
        handshakes = await asyncio.to_thread(in_progress, silent[0])
        return waited > UNKNOWN_SECONDS if handshakes is None else not handshakes
