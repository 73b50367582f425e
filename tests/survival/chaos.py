"""Other events of a running server: workers killed, stopped and restarted; drains, resumes and resets."""

import asyncio
import os
import random
import signal
import threading
from collections import Counter
from contextlib import suppress
from time import monotonic
from typing import Any, ClassVar

import click

from answerback.cli import options
from answerback.cli.client import connected
from answerback.v1.operations_service_pb2 import DrainRequest
from tests.supervisor.supervising import alive, until
from tests.survival.world import World
from tests.system.conftest import CALL_SECONDS, RunningServer

REPLACED_SECONDS = 120.0


class Chaos:
    """Does one thing at a time, chosen by the seed."""

    KINDS: ClassVar = {"kill": 3, "stop": 1, "pause": 1, "restart": 2, "drain": 2, "drain all": 1, "reset counters": 2}

    def __init__(self, world: World, running: RunningServer, seed: str) -> None:
        self.world, self.running = world, running
        self.chance = random.Random(f"{seed} chaos")
        self.done: Counter[str] = Counter()

    async def one(self) -> None:
        """Do one thing, and wait until all workers serve again."""
        kind = self.chance.choices(list(self.KINDS), list(self.KINDS.values()))[0]
        match kind:
            case "kill":
                await self._kill()
            case "stop":
                await self._stop()
            case "pause":
                await self._pause()
            case "restart":
                await self._command("restart", "restart", "--over", "300ms")
            case "drain" | "drain all":
                await self._drain("" if kind == "drain all" else self.chance.choice(list(self.world.current)))
            case "reset counters":
                await self._command("", "reset-counters")
        self.done[kind] += 1

    async def workers(self) -> list[int]:
        status = await asyncio.to_thread(self.running.status)
        return [int(worker["pid"]) for worker in status["workers"]]

    async def all_serve(self) -> None:
        """Until every slot has a worker that serves what is active."""
        deadline = monotonic() + REPLACED_SECONDS
        status: dict[str, Any] = {}
        while monotonic() < deadline:
            status = await asyncio.to_thread(self.running.status)
            pids = [int(worker.get("pid", 0)) for worker in status["workers"]]
            revisions = {worker.get("revision", 0) for worker in status["workers"]}
            if all(pids) and all(alive(pid) for pid in pids) and len(revisions) == 1 and revisions != {0}:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not all workers serve: {status}")

    async def _kill(self) -> None:
        pid = self.chance.choice([pid for pid in await self.workers() if pid] or [0])
        if pid:
            window = self.world.open_window("kill")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await until(lambda: not alive(pid), REPLACED_SECONDS)
            window.end = monotonic()
        await self.all_serve()

    async def _stop(self) -> None:
        """Stop one for good: it is replaced."""
        pid = self.chance.choice([pid for pid in await self.workers() if pid] or [0])
        if pid:
            window = self.world.open_window("kill")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            await until(lambda: not alive(pid), REPLACED_SECONDS)
            window.end = monotonic()
        await self.all_serve()

    async def _pause(self) -> None:
        """Stop one for a moment: nothing is lost, unless a change needed it at that moment."""
        pid = self.chance.choice([pid for pid in await self.workers() if pid] or [0])
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(self.chance.uniform(0.1, 1.0))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _drain(self, listener: str) -> None:
        window = self.world.open_window("drain", listener)
        named = ("--listener", listener) if listener else ()
        begun = threading.Event()
        drain = asyncio.create_task(asyncio.to_thread(self._drained, listener, begun))
        await asyncio.to_thread(begun.wait, REPLACED_SECONDS)
        await asyncio.wait({drain}, timeout=self.chance.uniform(0.1, 1.0))
        # A drained listener may have been removed meanwhile; then all listen again.
        resumed = await asyncio.to_thread(self.running.cli, "resume", *named)
        assert "Traceback" not in resumed.stderr, resumed.stderr
        if resumed.returncode:
            await self._command("", "resume")
        await drain
        window.end = monotonic()

    def _drained(self, listener: str, begun: threading.Event) -> None:
        """Drain until it is over: the drain of a listener that is not there (any more) is over at once."""
        request = DrainRequest(listener=listener, over=options.duration(0.2))
        try:
            with connected(self.running.admin, CALL_SECONDS) as client, suppress(click.ClickException):
                for _ in client.drain(request):
                    begun.set()
        finally:
            begun.set()

    async def _command(self, what: str, *args: str) -> None:
        window = self.world.open_window(what) if what else None
        done = await asyncio.to_thread(self.running.cli, *args)
        assert "Traceback" not in done.stderr, done.stderr
        if window:
            window.end = monotonic()
