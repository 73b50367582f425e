"""A worker's process, and the link to it."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final

from answerback.internal.v1.link_pb2 import Order, Report
from answerback.link import Link, Received
from answerback.net import fd_reserve
from answerback.shared.counters import PROGRESS, SharedCounters
from answerback.supervisor.options import Options

# Rule: a process is over when it has been waited for, not when its link is closed: only then does it not write its
#       counters any more.
# Rule: a worker that does not reply in time is killed: its state is unknown.

UNTIMELY: Final = 0.5  # seconds by which our time limit may expire late and still be the worker's fault
OURS_ALONE: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = logging.getLogger(__name__)


class WorkerDied(Exception):
    """The worker died, or was killed because it hung. The text says which."""


class WorkerProcess:
    """A worker, from exec to exit. Create it in the main thread: PDEATHSIG follows the creating thread."""

    def __init__(self, slot: int, region: int, options: Options, tally: SharedCounters) -> None:
        """Start it, to count in this region of the shared counters. Raises OSError on failure."""
        self._loop = asyncio.get_running_loop()
        self.slot = slot
        self.region = region
        self.revision = 0
        self.start_time = datetime.now(UTC)
        self.start_seconds = 0.0
        self.lag = 0.0
        self.up_since = 0.0
        """When it first committed a configuration, by the monotonic clock."""
        self.contents: frozenset[bytes] = frozenset()
        """The digests of the large contents that it has: those of the last committed configuration."""
        self.leaving = False
        """Whether a successor has replaced it: it stops accepting, and finishes its connections."""
        self.ending = False
        """Whether it has been told to exit."""
        self.why = ""
        """Why it was killed, if it was."""
        self.started: asyncio.Future[None] = self._loop.create_future()
        """Done at its first heartbeat."""
        self.over: asyncio.Future[int] = self._loop.create_future()
        """Its exit status, once it has been waited for; negative: the signal that killed it."""
        self._progress = -1
        self._timed = self._ran = self._waited = 0.0  # when the last heartbeat came, and the processor times then
        self._answers: dict[str, asyncio.Future[Report]] = {}
        with fd_reserve.reserve_released():
            ours, theirs = socket.socketpair()
            self._execed = self.heard = monotonic()
            with theirs:
                try:
                    self._process = _exec(slot, region, options, tally, theirs)
                except OSError:
                    ours.close()
                    raise
        self.pid = self._process.pid
        self._link = Link(ours, Report, self._received, self._hung_up)
        threading.Thread(target=self._wait, name=f"worker-{slot}", daemon=True).start()

    def __str__(self) -> str:
        return f"worker {self.slot}"

    def tell(self, order: Order, sockets: Sequence[socket.socket] = ()) -> None:
        """Send a command that has no reply. Raises MessageTooLarge, OSError."""
        self._send(order, sockets)

    async def ask(
        self,
        order: Order,
        *answers: str,
        within: float,
        sockets: Sequence[socket.socket] = (),
        files: Sequence[int] = (),
    ) -> Report:
        """Send a command, and wait for one of its replies, by their field names in Report.

        Raises WorkerDied if the worker dies before, or does not reply in time and is killed; MessageTooLarge,
        OSError.
        """
        self._send(order, sockets, files)
        answer = self.expect(*answers)
        await self.in_time(answer, within, f"did not answer {order.WhichOneof('kind')} within {within:g} s")
        return answer.result()

    def _send(self, order: Order, sockets: Sequence[socket.socket], files: Sequence[int] = ()) -> None:
        """Send a command; descriptors for copies of the sockets come from the reserve."""
        if not sockets and not files:
            self._link.send(order)
            return
        with fd_reserve.reserve_released():
            self._link.send(order, sockets, files)

    def expect(self, *answers: str) -> asyncio.Future[Report]:
        """Return a future of the next of these reports. It may never be done: see `over`."""
        answer: asyncio.Future[Report] = self._loop.create_future()
        self._answers.update(dict.fromkeys(answers, answer))
        return answer

    async def in_time(self, what: "asyncio.Future[Report] | asyncio.Future[None]", within: float, charge: str) -> None:
        """Wait for this worker. Raises WorkerDied if it died, or took too long and was killed."""
        while not what.done():
            began = monotonic()
            await asyncio.wait((what, self.over), timeout=within, return_when=asyncio.FIRST_COMPLETED)
            if what.done() or monotonic() - began > within + UNTIMELY:
                continue  # if this process was held up, the worker may have been, too
            if not self.over.done():
                self.kill(charge)
                await asyncio.shield(self.over)
            raise WorkerDied(self.exit_reason)

    def progressed(self, tally: SharedCounters) -> bool:
        """Whether its progress counter has changed since the last call. An idle worker sends heartbeats instead."""
        before, self._progress = self._progress, tally.region(self.region)[PROGRESS]
        return before != self._progress and before >= 0

    def stuck(self, now: float, silence: float) -> bool:
        """Whether it was silent for this many seconds, and not because it waited half of them for a processor.

        A worker that ran for half of them is stuck, however long it waited besides.
        """
        ran, waited = processor_times(self.pid)
        if self.heard != self._timed:
            self._timed, self._ran, self._waited = self.heard, ran, waited
        if now - self.heard <= silence:
            return False
        return waited - self._waited < silence / 2 or ran - self._ran > silence / 2

    def kill(self, charge: str) -> None:
        """Kill it; the reason becomes part of `exit_reason`."""
        if not self.over.done():
            self.why = self.why or charge
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    @property
    def up(self) -> bool:
        """Whether it serves."""
        return self.revision > 0 and not self.over.done()

    def committed(self, revision: int) -> None:
        """It serves this revision from now on."""
        self.revision = revision
        self.up_since = self.up_since or monotonic()

    @property
    def exit_reason(self) -> str:
        """Return how it ended."""
        if not self.over.done():
            return f"{self} lives"
        status = self.over.result()
        if self.why:
            return f"{self} {self.why}, and was killed"
        if status < 0:
            return f"{self} was killed by {_signal_name(-status)}"
        return f"{self} exited with status {status}"

    def _received(self, received: Received[Report]) -> None:
        self.heard = monotonic()
        report = received.message
        kind = report.WhichOneof("kind")
        if kind == "beat":
            self.lag = report.beat.lag_microseconds / 1e6
            if not self.started.done():
                self.start_seconds = self.heard - self._execed
                self.started.set_result(None)
        elif kind is not None and (answer := self._answers.get(kind)) is not None and not answer.done():
            answer.set_result(report)  # an unexpected report is ignored

    def _hung_up(self) -> None:
        """It closed its end of the link: it is exiting, or useless."""
        if not self.ending:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _wait(self) -> None:
        """In a thread: wait until it has exited, without reaping it, so that its pid is not reused until then."""
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with suppress(RuntimeError):  # the loop is closed: the result is not needed
            self._loop.call_soon_threadsafe(self._reap)

    def _reap(self) -> None:
        status = self._process.wait()
        self._link.close()
        self.over.set_result(status)


def _exec(
    slot: int, region: int, options: Options, tally: SharedCounters, link: socket.socket
) -> "subprocess.Popen[bytes]":
    command = [
        *options.worker_command,
        *("--link", str(link.fileno()), "--tally", str(tally.fd)),
        *("--slots", str(tally.slots), "--slot", str(slot), "--region", str(region)),
        *("--log-format", options.log_format, "--log-level", options.log_level),
    ]
    # Signals from a terminal or a container go to the whole process group. While blocked, they cannot hit the worker
    # between exec and the moment it ignores them.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, OURS_ALONE)
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(link.fileno(), tally.fd))
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
