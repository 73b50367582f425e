"""A real worker with a link in place of a supervisor."""

import asyncio
import socket
import subprocess
import sys

from answerback.document.document import load
from answerback.internal.v1.link_pb2 import (
    Command,
    Commit,
    Event,
    ListenerLayout,
    Prepare,
    SocketName,
)
from answerback.language.addresses import socket_key
from answerback.link import Link, Received
from answerback.shared.counters import CounterLayout, SharedCounters
from tests.supervisor.supervising import ask, until


def listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0), backlog=100)
    sock.setblocking(False)
    return sock


class RealWorker:
    """A worker in slot 0 of two, and what it reported."""

    def __init__(self) -> None:
        self.counters, self.layout = SharedCounters.create(2), CounterLayout()
        ours, theirs = socket.socketpair()
        words = (
            f"--link {theirs.fileno()} --counters {self.counters.fd} --slots 2 --slot 0 --region 0 --variables /missing"
        )
        words += " --log-format text --log-level info"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "answerback.worker", *words.split()],
            pass_fds=(theirs.fileno(), self.counters.fd),
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        self.reports: list[Event] = []
        self.link = Link(ours, Event, self._received, lambda: None)
        self.sockets: dict[str, socket.socket] = {}

    def _received(self, received: Received[Event]) -> None:
        self.reports.append(received.message)

    def kinds(self) -> list[str | None]:
        return [kind for report in self.reports if (kind := report.WhichOneof("kind")) != "heartbeat"]

    async def answer(self) -> Event:
        """The next report that is no beat."""
        count = len(self.kinds())
        await until(lambda: len(self.kinds()) > count)
        return next(report for report in reversed(self.reports) if report.WhichOneof("kind") != "heartbeat")

    async def prepare(self, revision: int, answer: str = "one", *names: str, more: str = "", regex: str = "") -> Event:
        """Have it prepare listeners of these names, each with a socket that is made when it is first heard of."""
        match = f"when: {{regex: '{regex}'}}, " if regex else ""
        rules = f"[{{{match}do: [{more} {{send: {answer}}}, close]}}]"
        listeners = "".join(f"- {{name: {name}, address: '127.0.0.1:0', rules: {rules}}}\n" for name in names)
        config = load(f"listeners:\n{listeners}" if names else "listeners: []").config
        places = [
            ListenerLayout(
                listener=each.name,
                block=self.layout.listener(each.name),
                rules=[self.layout.rule(each.name, "rules[0]")],
                socket=socket_key(each),
            )
            for each in config.listeners
        ]
        new = [place.socket for place in places if place.socket not in self.sockets]
        for key in new:
            self.sockets[key] = listening()
        order = Prepare(revision=revision, config=config, layouts=places, sockets=[SocketName(key=key) for key in new])
        self.link.send(Command(prepare=order), [self.sockets[key] for key in new])
        return await self.answer()

    async def serve(self, revision: int, answer: str = "one", *names: str, more: str = "") -> None:
        assert (await self.prepare(revision, answer, *(names or ("hello",)), more=more)).HasField("prepared")
        self.link.send(Command(commit=Commit(revision=revision)))
        assert (await self.answer()).committed.revision == revision

    def port(self, name: str = "hello") -> int:
        port: int = self.sockets[f"127.0.0.1:0#{name}"].getsockname()[1]
        return port

    async def ask(self, name: str = "hello") -> bytes:
        return await asyncio.to_thread(ask, self.port(name))

    async def ended(self) -> tuple[int, str]:
        try:
            _, said = await asyncio.to_thread(self.process.communicate, timeout=20)
        finally:
            self.process.kill()
        return self.process.returncode, said
