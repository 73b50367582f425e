"""The network layer without a worker: listeners on an event loop in a thread, blocking clients in the test."""

import asyncio
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from answerback.core.actions import CloseReason
from answerback.core.plan import Engine, ListenerPlan, Plan
from answerback.net.acceptor import BACKLOG
from answerback.net.listeners import Listeners
from answerback.shared import listener_counters
from answerback.shared.counters import CounterLayout, SharedCounters

T = TypeVar("T")

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.new_event_loop,
}


Address = tuple[str, int] | str


class Client:
    """A blunt client of a TCP address or a Unix socket's path."""

    def __init__(self, address: Address, source: str = "", **options: int) -> None:
        self.sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        if source:
            self.sock.bind((source, 0))
        if "receive_buffer" in options:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_buffer"])
        self.sock.settimeout(10)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise

    def say(self, data: bytes) -> "Client":
        self.sock.sendall(data)
        return self

    def finish(self) -> "Client":
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def hear(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            assert piece, f"closed after {data!r}"
            data += piece
        return data

    def hear_all(self) -> bytes:
        pieces = []
        while piece := self.sock.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


class Serving:
    """Listeners in a thread of their own, and a socket for each."""

    def __init__(
        self, new_loop: Callable[[], asyncio.AbstractEventLoop], engine: Engine, folder: Path | None = None
    ) -> None:
        """On Unix sockets in `folder`, if it is given."""
        self.engine = engine
        self.folder = folder
        self.memory = SharedCounters.create(1)
        self.places = CounterLayout()
        self.loop = new_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.listeners = self.call(lambda: Listeners(self.loop, self.memory, 0, 0))
        self.addresses: dict[str, Address] = {}
        self.clients: list[Client] = []

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call it in the loop's thread."""

        async def run() -> T:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def commit(self, *plans: ListenerPlan) -> None:
        """Serve these, each on the socket of its own name unless it names one."""
        named, new = {}, {}
        for plan in plans:
            key = plan.socket or plan.name
            named[plan.name] = self.placed(plan, key)
            if key not in self.addresses:
                new[key] = sock = socket.socket(socket.AF_UNIX if self.folder else socket.AF_INET)
                sock.bind(str(self.folder / key) if self.folder else ("127.0.0.1", 0))
                sock.listen(BACKLOG)
                self.addresses[key] = sock.getsockname()
        self.call(self.listeners.commit, Plan(1, named), new)

    def placed(self, plan: ListenerPlan, key: str) -> ListenerPlan:
        return replace(plan, engine=self.engine, socket=key, block=self.places.listener(plan.name))

    def connect(self, key: str = "it", source: str = "", **options: int) -> Client:
        client = Client(self.addresses[key], source, **options)
        self.clients.append(client)
        return client

    def count(self, offset: int, name: str = "it") -> int:
        return int(self.memory.region(0)[self.places.listener(name) + offset])

    def closed(self, reason: CloseReason, name: str = "it") -> int:
        return self.count(listener_counters.CLOSED + reason, name)

    def ended(self) -> dict[CloseReason, int]:
        """The close reasons of all connections, once none is open."""
        self.settle()
        return {reason: self.closed(reason) for reason in CloseReason if self.closed(reason)}

    def settle(self) -> None:
        """Wait until no connection is open."""
        asyncio.run_coroutine_threadsafe(self.listeners.closed(), self.loop).result(10)

    def check_balance(self, name: str = "it") -> None:
        """Accepted = closed + open, at one moment: a client of another test may have found the port."""

        def counted() -> tuple[int, int]:
            closed = sum(self.closed(reason, name) for reason in CloseReason)
            return self.count(listener_counters.ACCEPTED, name), closed + self.count(listener_counters.OPEN, name)

        accepted, accounted_for = self.call(counted)
        assert accepted == accounted_for

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.call(self.listeners.abort)
        self.settle()
        for name in self.places.listeners:
            self.check_balance(name)
            assert self.count(listener_counters.OPEN, name) == 0
        self.call(lambda: None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(asyncio.sleep(0))  # transports say goodbye
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


KINDS = [f"{engine.value}-{loop}" for engine in Engine for loop in LOOPS]
UNIX_KINDS = [f"{engine.value}-uvloop-unix" for engine in Engine]


@pytest.hookimpl(tryfirst=True)  # before what is marked is deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what runs again on asyncio's own loop, by which no worker serves, belong to the long tests."""
    for item in items:
        given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
        if any(isinstance(value, str) and value in KINDS and value.endswith("-asyncio") for value in given):
            item.add_marker(pytest.mark.long)


@contextmanager
def serving_as(kind: str) -> Iterator[Serving]:
    """One of KINDS or UNIX_KINDS; afterwards the counters must balance."""
    engine, loop, *unix = kind.split("-")
    with tempfile.TemporaryDirectory() as folder:  # pytest's are too deep for a socket's path
        it = Serving(LOOPS[loop], Engine(engine), Path(folder) if unix else None)
        yield it
        it.stop()


def each_of(kinds: Sequence[str]) -> Callable[[pytest.FixtureRequest], Iterator[Serving]]:
    """A fixture: listeners of each of these kinds in turn."""

    @pytest.fixture(params=kinds)
    def serving(request: pytest.FixtureRequest) -> Iterator[Serving]:
        with serving_as(request.param) as it:
            yield it

    return serving


serving = each_of(KINDS)
