"""A change that is not decided yet, or fails, is invisible: no new address answers, and none stays bound."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from answerback.supervisor import ChangeFailed
from answerback.supervisor.errors import StoreFailed
from answerback.supervisor.revisions.store import Revision, RevisionsInMemory
from tests.ports import free_port
from tests.supervisor.supervising import Supervised, ask, config, listener, refused, text, until

PATIENCE = 0.3  # seconds, of a client that is to get no answer: the kernel repeats a SYN after one second
DOORS = ["NORMAL", "STALL", "REFUSE"]


class SlowDisk(RevisionsInMemory):
    """Decides when the test says so, and as it says."""

    def __init__(self) -> None:
        super().__init__("abc")
        self.asked = asyncio.Event()
        self.decide: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def append(self, revision: Revision, *, after: int) -> None:
        if after:
            self.asked.set()
            if not await self.decide:
                raise StoreFailed("disk full")
        await super().append(revision, after=after)


@pytest.fixture
async def disk() -> SlowDisk:
    return SlowDisk()


@pytest.fixture(params=[1, 2])
async def supervisor(request: pytest.FixtureRequest, disk: SlowDisk, tmp_path: Path) -> AsyncIterator[Supervised]:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener()))
    made = Supervised(path, store=disk, workers=request.param)
    await made.start()
    yield made
    await made.stop(abort=True)


def answered(family: int, where: tuple[str, int] | str) -> bool:
    """Whether a client gets an answer to its SYN, or a place in a queue."""
    with socket.socket(family) as client:
        client.settimeout(PATIENCE)
        try:
            client.connect(where)
        except OSError:
            return False
    return True


def is_free(family: int, where: tuple[str, int]) -> bool:
    """Whether nothing is bound there."""
    with socket.socket(family) as other:
        try:
            other.bind(where)
        except OSError:
            return False
    return True


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("host, family", [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
@pytest.mark.parametrize("accept", DOORS)
async def test_new_port_answers_no_client_before_the_decision_or_after_a_failure(
    supervisor: Supervised, disk: SlowDisk, host: str, family: int, accept: str
) -> None:
    port = free_port()
    address = f"'[{host}]:{port}'" if ":" in host else f"{host}:{port}"
    new = listener("new", name="new", address=address) + f"  accept: {accept}\n"
    change = asyncio.create_task(supervisor.update(config(listener(), new)))
    await disk.asked.wait()
    assert [await asyncio.to_thread(answered, family, (host, port)) for _ in range(3)] == [False] * 3
    disk.decide.set_result(False)
    with pytest.raises(ChangeFailed, match="disk full"):
        await change
    await until(lambda: is_free(family, (host, port)))  # workers close their copies without being asked for an answer
    assert not supervisor._sockets.fillers()
    assert await supervisor.answers() == {b"one"}


async def test_new_port_answers_only_after_the_decision(supervisor: Supervised, disk: SlowDisk) -> None:
    port = free_port()
    new = listener("new", name="new", address=f"127.0.0.1:{port}")
    change = asyncio.create_task(supervisor.update(config(listener(), new)))
    await disk.asked.wait()
    early = asyncio.create_task(asyncio.to_thread(ask, port))  # its SYN is sent again after a second
    disk.decide.set_result(True)
    await change
    assert await supervisor.answers("new") == {b"new"}
    assert await early == b"new"


@pytest.mark.parametrize("stale", [False, True])
async def test_new_unix_socket_is_absent_before_the_decision_and_after_a_failure(
    supervisor: Supervised, disk: SlowDisk, tmp_path: Path, stale: bool
) -> None:
    path = tmp_path / "s"
    if stale:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    change = asyncio.create_task(supervisor.update(config(listener(), listener(name="new", address=f"unix:{path}"))))
    await disk.asked.wait()
    assert not path.exists()
    disk.decide.set_result(False)
    with pytest.raises(ChangeFailed, match="disk full"):
        await change
    assert names(tmp_path) == ["answerback.yaml"]


async def test_new_unix_socket_answers_after_the_decision(
    supervisor: Supervised, disk: SlowDisk, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    new = listener("new", name="new", address=f"unix:{path}")
    change = asyncio.create_task(supervisor.update(config(listener(), new)))
    await disk.asked.wait()
    disk.decide.set_result(True)
    await change
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert client.getpeername() == str(path)
        client.sendall(b"hi")
        assert await asyncio.to_thread(client.recv, 16) == b"new"
    assert names(tmp_path) == ["answerback.yaml", "s"]


async def test_removed_address_answers_until_the_decision(supervisor: Supervised, disk: SlowDisk) -> None:
    port = supervisor.port()
    change = asyncio.create_task(supervisor.update(config()))
    await disk.asked.wait()
    assert await supervisor.answers() == {b"one"}
    disk.decide.set_result(True)
    await change
    await until(lambda: refused(port))
