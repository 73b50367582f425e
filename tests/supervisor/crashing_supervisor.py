"""The real supervisor and store with a worker that only agrees; it is killed at a step of a save, many times.

    python crashing_supervisor.py FOLDER STEP TIMES SEED

Each time it is a new process on the same state, which says what it has restored, makes changes, and is killed by
SIGKILL in one of them. Steps: one of STEPS; `statement K`, before the K-th of what SQLite is asked in a save; and
`random`, from a thread, at some moment while it goes on making changes. Lines on standard output: `restored N TEXT`,
`asked N`, `acknowledged N`, and at last `killed` or `survived`.
"""

import asyncio
import os
import random
import signal
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

from answerback.document.document import load
from answerback.internal.v1.link_pb2 import Command, Committed, Event, Prepared
from answerback.supervisor import Options, Retention, Supervisor, supervisor
from answerback.supervisor.revisions.sqlite import Database
from answerback.supervisor.revisions.sqlite_store import SqliteStore
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerProcess
from answerback.v1 import config_pb2 as v1

STEPS = ("prepare", "prepared", "kept", "commit", "committed", "answer")
CHANGES = 3
CHANGES_SECONDS = 0.1  # on a disk; who is faster makes more of them
KEPT = 3  # so that every save prunes, once there are as many


class Bomb:
    """Kills this process when it comes to a step for a certain time."""

    def __init__(self) -> None:
        self.step = ""
        self.left = 0

    def at(self, step: str) -> None:
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


BOMB = Bomb()


class AgreeingWorker:
    """The part of a worker that a change uses."""

    slot = 0
    revision = 0
    retiring = False
    contents: frozenset[bytes] = frozenset()

    def __str__(self) -> str:
        return "the worker that agrees"

    def tell(self, *_: object) -> None:
        raise AssertionError("nothing is aborted")

    async def ask(self, order: Command, *_: str, **__: object) -> Event:
        if order.HasField("prepare"):
            BOMB.at("prepare")
            return Event(prepared=Prepared(revision=order.prepare.revision))
        BOMB.at("commit")
        return Event(committed=Committed(revision=order.commit.revision))

    def committed(self, revision: int) -> None:
        self.revision = revision
        BOMB.at("committed")


class AgreeingCrew(WorkerPool):
    worker: Any = AgreeingWorker()

    @property
    def workers(self) -> list[WorkerProcess]:
        return [self.worker]

    @property
    def change_targets(self) -> list[WorkerProcess]:
        return [self.worker]

    async def start(self) -> list[WorkerProcess]:
        return [self.worker]

    def monitor(self, boot: Any) -> None:
        """No worker dies."""


class CountingDatabase(Database):
    def append(self, revision: Any, after: int) -> None:
        BOMB.at("prepared")
        numbers = count(1)

        def traced(_: str) -> None:
            BOMB.at(f"statement {next(numbers)}")

        self._connection.set_trace_callback(traced)
        super().append(revision, after)
        self._connection.set_trace_callback(None)
        BOMB.at("kept")


def config(text: str) -> v1.Config:
    return load(f"listeners: [{{name: a, address: '127.0.0.1:0', rules: [{{do: [send: '{text}']}}]}}]").config


def text_of(config: v1.Config) -> str:
    return config.listeners[0].rules[0].do[0].send.text if config.listeners else "-"


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def serve(folder: Path, step: str, chance: random.Random) -> None:
    store = await SqliteStore.open(folder / "state", Retention(count=KEPT))
    serving = Supervisor(Options(config_path=folder / "answerback.yaml"), store=store)
    await serving.start()
    number = serving.current.number
    say(f"restored {number} {text_of(serving.current.config)}")
    BOMB.step, BOMB.left = step, chance.randint(1, CHANGES)
    if step == "random":
        timer = threading.Timer(chance.uniform(0, CHANGES_SECONDS), os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
    for following in count(number + 1) if step == "random" else range(number + 1, number + 1 + CHANGES):
        say(f"asked {following}")
        await serving.update(config(str(following)))
        BOMB.at("answer")
        say(f"acknowledged {following}")


def main() -> None:
    folder, step, times, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    vars(supervisor).update(WorkerPool=AgreeingCrew)
    vars(sys.modules[SqliteStore.__module__]).update(Database=CountingDatabase)
    for trial in range(times):
        pid = os.fork()  # noqa: TID251 - without gRPC or threads; to import everything again would take half a second
        if pid == 0:
            asyncio.run(serve(folder, step, random.Random(seed + trial)))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        say("killed" if status == signal.SIGKILL else f"survived {status}")


if __name__ == "__main__":
    main()
