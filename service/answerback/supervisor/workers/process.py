"""A worker's process, and the link to it."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from answerback.internal.v1.link_pb2 import Command, Event, SignalNews
from answerback.link import Link, Received
from answerback.net import fd_reserve
from answerback.shared.counters import PROGRESS, SharedCounters
from answerback.supervisor.options import Options

# Rule: a process is over when it has been waited for, not when its link is closed: only then does it not write its
#       counters any more.
# Rule: a worker that does not reply in time is killed: its state is unknown.

UNTIMELY_SECONDS: Final = 0.5  # seconds by which our time limit may expire late and still be the worker's fault
OWN_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = logging.getLogger(__name__)


class WorkerDied(Exception):
    """The worker died, or was killed because it hung. The text says which."""


class WorkerProcess:
    """A worker, from exec to exit. Create it in the main thread: PDEATHSIG follows the creating thread."""

    def __init__(self, slot: int, region: int, options: Options, counters: SharedCounters) -> None:
        """Start it, to count in this region of the shared counters. Raises OSError on failure."""
        self._loop = asyncio.get_running_loop()
        self.slot = slot
        self.region = region
        self.revision = 0
        self.start_time = datetime.now(UTC)
        self.start_seconds = 0.0
        self.lag_seconds = 0.0
        self.up_since = 0.0
        """When it first committed a configuration, by the monotonic clock."""
        self.contents: frozenset[bytes] = frozenset()
        """The digests of the large contents that it has: those of the last committed configuration."""
        self.retiring = False
        """Whether a successor has replaced it: it stops accepting, and finishes its connections."""
        self.ending = False
        """Whether it has been told to exit."""
        self.kill_reason = ""
        """Why it was killed, if it was."""
        self.started: asyncio.Future[None] = self._loop.create_future()
        """Done at its first heartbeat."""
        self.exited: asyncio.Future[int] = self._loop.create_future()
        """Its exit status, once it has been waited for; negative: the signal that killed it."""
        self._progress = -1
        self._event_time_before = self._ran = self._waited = (
            0.0  # when the last heartbeat came, and the processor times then
        )
        self._answers: dict[str, asyncio.Future[Event]] = {}
        self.on_signal_news: Callable[[WorkerProcess, SignalNews], None] | None = None
        """Called with what its scripts do with signals."""
        with fd_reserve.reserve_released():
            ours, theirs = socket.socketpair()
            self._execed = self.last_event_time = monotonic()
            with theirs:
                try:
                    self._process = _exec(slot, region, options, counters, theirs)
                except OSError:
                    ours.close()
                    raise
        self.pid = self._process.pid
        self._link = Link(ours, Event, self._received, self._hung_up)
        threading.Thread(target=self._wait, name=f"worker-{slot}", daemon=True).start()

    def __str__(self) -> str:
        return f"worker {self.slot}"

    def tell(self, command: Command, sockets: Sequence[socket.socket] = ()) -> None:
        """Send a command that has no reply. Raises MessageTooLarge, OSError."""
        self._send(command, sockets)

    async def ask(
        self,
        command: Command,
        *answers: str,
        within_seconds: float,
        sockets: Sequence[socket.socket] = (),
        files: Sequence[int] = (),
    ) -> Event:
        """Send a command, and wait for one of its replies, by their field names in Event.

        Raises WorkerDied if the worker dies before, or does not reply in time and is killed; MessageTooLarge,
        OSError.
        """
        self._send(command, sockets, files)
        answer = self.expect(*answers)
        kind = command.WhichOneof("kind")
        await self.in_time(answer, within_seconds, f"it did not answer {kind} within {within_seconds:g} s")
        return answer.result()

    def _send(self, command: Command, sockets: Sequence[socket.socket], files: Sequence[int] = ()) -> None:
        """Send a command; descriptors for copies of the sockets come from the reserve."""
        if not sockets and not files:
            self._link.send(command)
            return
        with fd_reserve.reserve_released():
            self._link.send(command, sockets, files)

    def expect(self, *answers: str) -> asyncio.Future[Event]:
        """Return a future of the next of these events. It may never be done: see `exited`."""
        answer: asyncio.Future[Event] = self._loop.create_future()
        self._answers.update(dict.fromkeys(answers, answer))
        return answer

    async def in_time(
        self, awaited: "asyncio.Future[Event] | asyncio.Future[None]", within_seconds: float, failure: str
    ) -> None:
        """Wait for this worker. Raises WorkerDied if it died, or took too long and was killed.

        `failure`: the reason for `kill`.
        """
        while not awaited.done():
            began = monotonic()
            await asyncio.wait((awaited, self.exited), timeout=within_seconds, return_when=asyncio.FIRST_COMPLETED)
            if awaited.done() or monotonic() - began > within_seconds + UNTIMELY_SECONDS:
                continue  # if this process was held up, the worker may have been, too
            await self.kill_and_wait(failure)
            raise WorkerDied(self.exit_reason)

    def progressed(self, counters: SharedCounters) -> bool:
        """Whether its progress counter has changed since the last call. An idle worker sends heartbeats instead."""
        before, self._progress = self._progress, counters.region(self.region)[PROGRESS]
        return before != self._progress and before >= 0

    def stuck(self, now: float, silence_seconds: float) -> bool:
        """Whether it was silent for this many seconds, and not because it waited half of them for a processor.

        A worker that ran for half of them is stuck, however long it also waited.
        """
        ran, waited = processor_times(self.pid)
        if self.last_event_time != self._event_time_before:
            self._event_time_before, self._ran, self._waited = self.last_event_time, ran, waited
        if now - self.last_event_time <= silence_seconds:
            return False
        return waited - self._waited < silence_seconds / 2 or ran - self._ran > silence_seconds / 2

    def kill(self, reason: str) -> None:
        """Kill it. `reason`: a clause with a subject of its own; it stands behind a colon in `exit_reason`."""
        if not self.exited.done():
            self.kill_reason = self.kill_reason or reason
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def kill_and_wait(self, reason: str) -> None:
        """Kill it, if it lives, and wait until it has exited."""
        self.kill(reason)
        await asyncio.shield(self.exited)

    @property
    def up(self) -> bool:
        """Whether it serves."""
        return self.revision > 0 and not self.exited.done()

    def committed(self, revision: int) -> None:
        """The worker serves this revision from now on."""
        self.revision = revision
        self.up_since = self.up_since or monotonic()

    @property
    def exit_reason(self) -> str:
        """Return how it ended."""
        if not self.exited.done():
            return f"{self} lives"
        status = self.exited.result()
        if self.kill_reason:
            return f"{self} was killed: {self.kill_reason}"
        if status < 0:
            return f"{self} was killed by {_signal_name(-status)}"
        return f"{self} exited with status {status}"

    def _received(self, received: Received[Event]) -> None:
        self.last_event_time = monotonic()
        event = received.message
        kind = event.WhichOneof("kind")
        if kind == "heartbeat":
            self.lag_seconds = event.heartbeat.lag_microseconds / 1e6
            if not self.started.done():
                self.start_seconds = self.last_event_time - self._execed
                self.started.set_result(None)
        elif kind == "signal_news":
            if self.on_signal_news is not None:
                self.on_signal_news(self, event.signal_news)
        elif kind is not None and (answer := self._answers.get(kind)) is not None and not answer.done():
            answer.set_result(event)  # an unexpected event is ignored

    def _hung_up(self) -> None:
        """The worker closed its end of the link: it is exiting, or useless."""
        if not self.ending:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _wait(self) -> None:
        """Wait in a thread until it has exited, without reaping it, so that its pid is not reused until then."""
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with suppress(RuntimeError):  # the loop is closed: the result is not needed
            self._loop.call_soon_threadsafe(self._reap)

    def _reap(self) -> None:
        status = self._process.wait()
        self._link.close()
        self.exited.set_result(status)


def _exec(
    slot: int, region: int, options: Options, counters: SharedCounters, link: socket.socket
) -> "subprocess.Popen[bytes]":
    command = [
        *options.worker_command,
        *("--link", str(link.fileno()), "--counters", str(counters.fd)),
        *("--slots", str(counters.slots), "--slot", str(slot), "--region", str(region)),
        *("--variables", str(options.variables or "")),
        *("--log-format", options.log_format, "--log-level", options.log_level),
    ]
    # Signals from a terminal or a container go to the whole process group. While blocked, they cannot hit the worker
    # between exec and the moment it ignores them.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, OWN_SIGNALS)
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(link.fileno(), counters.fd))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def processor_times(pid: int) -> tuple[float, float]:
    """Return how long a process's main thread ran, and waited for a processor, in seconds; 0 if unknown."""
    try:
        ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError):  # a kernel without CONFIG_SCHED_INFO
        return 0.0, 0.0
    return int(ran) / 1e9, int(waited) / 1e9


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
