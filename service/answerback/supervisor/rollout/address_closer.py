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
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import Command, ExpectSilence, StopAccepting
from answerback.net.syn_filter import is_silent
from answerback.supervisor.sockets.handshakes import in_progress
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerProcess

# Rule: workers are told before a SYN filter is set, and all sockets of an address have it before one is closed:
#       otherwise the kernel would give its handshakes to the others, which reset them.
# Rule: nothing here fails a change: it is decided already.

HANDSHAKE_SECONDS: Final = 1.0  # seconds that a handshake may take: a lost packet is sent again after 1 s
UNKNOWN_SECONDS: Final = 0.25  # seconds to wait if the kernel does not report handshakes
POLL_SECONDS: Final = 0.02

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

    async def expect_silence(self, workers: Sequence[WorkerProcess], keys: Collection[str]) -> list[str]:
        """Announce SYN filters at these addresses; return the errors."""
        command = Command(expect_silence=ExpectSilence(sockets=keys))
        return await self._pool.ask_all(workers, command, "silence_expected") if keys else []

    async def begin(self) -> None:
        """A change is committed: finish addresses without handshakes now, and the others later.

        The caller holds the lock of `serial`.
        """
        now = monotonic()
        closing = self._sockets.closing
        self._since = {key: self._since.get(key, now) for key in closing}
        await self._finish(await self._ready(closing))
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
        await self.expect_silence(self._pool.change_targets, self._sockets.keys)
        self._sockets.silence_all()
        closing = self._sockets.closing
        self._since = dict.fromkeys(closing, monotonic())
        while len(await self._ready(closing)) < len(closing):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(POLL_SECONDS)

    async def _finish_all(self) -> None:
        try:
            while self._since:
                await asyncio.sleep(POLL_SECONDS)
                closing = self._sockets.closing
                ready = await self._ready({key: sockets for key, sockets in closing.items() if key in self._since})
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

    async def _ready(self, closing: Mapping[str, Sequence[socket.socket]]) -> list[str]:
        """Return the keys of addresses that may be finished now."""
        return [key for key, sockets in closing.items() if await self._is_ready(self._since[key], sockets)]

    async def _is_ready(self, since: float, sockets: Sequence[socket.socket]) -> bool:
        silent = [sock for sock in sockets if is_silent(sock)]
        if not silent:  # Unix sockets have no handshake; on others new ones begin all the time: waiting is useless
            return True
        waited = monotonic() - since
        if waited > HANDSHAKE_SECONDS:
            return True
        handshakes = await asyncio.to_thread(in_progress, silent[0])
        return waited > UNKNOWN_SECONDS if handshakes is None else not handshakes
