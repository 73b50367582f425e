"""Large payload files: every worker sends them, none copies them, and each is passed to a worker once."""

import asyncio
import gc
import os
import re
import resource
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from answerback.internal.v1.link_pb2 import Command, Event
from answerback.language.contents import LARGE_BYTES
from answerback.language.problems import InvalidConfig
from answerback.supervisor import ChangeFailed, Retention
from answerback.supervisor.workers.process import WorkerProcess
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, config, faulty, until

LARGE = os.urandom(LARGE_BYTES + 12_345)
NOTHING_PAST = Retention(count=1)
each_engine = pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])


def serving(steps: str, *, engine: str = "CALLBACK", more: str = "", name: str = "page") -> str:
    """A listener on lines, which does this at each."""
    return f"""
- name: {name}
  address: "127.0.0.1:0"
  engine: {engine}
  framing: line
  rules:
  - when: {{any: [{{equals: again}}, {{equals: go}}]}}
    do: [{steps}]
  {more}
"""


def fetch(port: int, request: bytes = b"go\n") -> bytes:
    """Everything that is answered to a client that reads slowly, until the connection is closed."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)  # so that the kernel cannot take it all
        client.settimeout(20)
        client.connect(("127.0.0.1", port))
        client.sendall(request)
        pieces = []
        try:
            while piece := client.recv(64 << 10):
                pieces.append(piece)
        except ConnectionResetError:
            pieces.append(b"reset")
        return b"".join(pieces)


async def fetched(supervisor: Supervised, request: bytes = b"go\n", count: int = 12) -> set[bytes]:
    """The replies to this number of clients, over all slots."""
    port = supervisor.port("page")
    return set(await asyncio.gather(*(asyncio.to_thread(fetch, port, request) for _ in range(count))))


def descriptors(pid: int) -> int:
    """How many a process has open of large files: none has more than one for each content."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += "answerback-file" in str(entry.readlink())
    return count


def proportional_bytes(pids: Sequence[int]) -> int:
    """The memory of some processes, what they share counted once (proc(5), smaps_rollup)."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    found = [re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE) for text in texts]
    return sum(int(each[1]) << 10 for each in found if each)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page"
    path.write_bytes(LARGE)
    return path


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The size of each order to prepare, and how many files were passed beside it."""
    seen: list[tuple[int, int]] = []
    ask = WorkerProcess.ask

    async def noted(process: WorkerProcess, order: Command, *answers: str, **given: Any) -> Event:
        if order.HasField("prepare"):
            seen.append((order.ByteSize(), len(given.get("files", ()))))
        return await ask(process, order, *answers, **given)

    monkeypatch.setattr(WorkerProcess, "ask", noted)
    return seen


@each_engine
@pytest.mark.parametrize(
    "steps, expected",
    [
        ("send: {file: page}, close", LARGE),
        ("send: {text: head}, send: {file: page}, send: {text: tail}, close", b"head" + LARGE + b"tail"),
        ("send: {file: page}, send: {file: page}, close", LARGE * 2),
        ("dribble: {payload: {file: page}, chunks: 3, gap: 1ms}, close", LARGE),
        ('set: {name: it, value: {file: page}}, send: {template: "${len(vars.it)}"}, close', str(len(LARGE)).encode()),
        ("send: {file: page}, delay: 10ms, send: {text: end}, close", LARGE + b"end"),
    ],
    ids=["alone", "between others", "twice", "dribbled", "in a variable", "before a delay"],
)
@pytest.mark.usefixtures("page")
async def test_large_file_is_sent_whole_by_each_worker(
    supervise: Supervise, engine: str, steps: str, expected: bytes
) -> None:
    supervisor = await supervise(serving(steps, engine=engine), workers=2)
    assert await fetched(supervisor) == {expected}


@each_engine
@pytest.mark.usefixtures("page")
async def test_pipelined_requests_for_a_large_file_are_answered_in_order(supervise: Supervise, engine: str) -> None:
    more = "- {when: {equals: last}, do: [send: {text: bye}, close]}"
    supervisor = await supervise(serving("send: {file: page}", engine=engine, more=more))
    assert await fetched(supervisor, b"go\nagain\ngo\nlast\n", 2) == {LARGE * 3 + b"bye"}
    assert await fetched(supervisor, b"go\nagain\ngo\nlast\n", 2) == {LARGE * 3 + b"bye"}  # not remembered as copies


@each_engine
@pytest.mark.parametrize(
    "fault, check",
    [
        ("corrupt: {bytes: 5}", lambda sent: sum(a != b for a, b in zip(sent, LARGE, strict=True)) == 5),
        ("slice: {size: 50000, gap: 1ms}", lambda sent: sent == LARGE),
        ("truncate: {bytes: 270000}", lambda sent: sent == LARGE[:270_000]),
        ("bandwidth: {bytes_per_second: 20000000}", lambda sent: sent == LARGE),
    ],
    ids=["corrupt", "slice", "truncate", "bandwidth"],
)
@pytest.mark.usefixtures("page")
async def test_faults_apply_to_a_large_file(supervise: Supervise, engine: str, fault: str, check: Any) -> None:
    listener = serving("send: {file: page}, close", engine=engine, more="\n  faults:\n  - {" + fault + "}")
    supervisor = await supervise(listener)
    for sent in await fetched(supervisor, count=3):
        assert check(sent)


@pytest.mark.usefixtures("page")
async def test_match_by_a_large_file_equals_match_by_its_bytes(supervise: Supervise) -> None:
    supervisor = await supervise(
        '\n- name: page\n  address: "127.0.0.1:0"\n  framing: until_eof\n  limits: {max_request_bytes: 1000000}\n'
        "  rules:\n  - {when: {equals: {file: page}}, do: [send: same, close]}\n  - do: [send: other, close]\n"
    )

    def whole(request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", supervisor.port("page")), 10) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            return client.recv(100)

    assert await asyncio.to_thread(whole, LARGE) == b"same"
    assert await asyncio.to_thread(whole, LARGE[:-1]) == b"other"


async def test_large_file_is_passed_to_a_worker_once(
    supervise: Supervise, page: Path, orders: list[tuple[int, int]]
) -> None:
    gc.collect()  # what other tests left
    supervisor = await supervise(serving("send: {file: page}, close"), workers=2)
    assert [passed for _, passed in orders] == [1, 1]
    for number in range(3):
        await supervisor.update(config(serving("send: {file: page}, close"), serving(f"send: {number}", name="beside")))
    assert [passed for _, passed in orders[2:]] == [0] * 6
    assert max(size for size, _ in orders) < 2000
    assert await fetched(supervisor) == {LARGE}
    (page.parent / "copy").write_bytes(LARGE)
    await supervisor.update(config(serving("send: {file: page}, close")))
    assert [descriptors(pid) for pid in (os.getpid(), *supervisor.pids())] == [1, 1, 1]


async def test_equal_files_are_passed_to_a_worker_once(
    supervise: Supervise, page: Path, orders: list[tuple[int, int]]
) -> None:
    (page.parent / "same").write_bytes(LARGE)
    supervisor = await supervise(serving("send: {file: page}, send: {file: same}, close"))
    assert [passed for _, passed in orders] == [1]
    assert await fetched(supervisor, count=2) == {LARGE * 2}


@each_engine
async def test_changed_large_file_replaces_the_former_content(supervise: Supervise, page: Path, engine: str) -> None:
    gc.collect()  # what other tests left
    steps = "send: {file: page}, close"
    supervisor = await supervise(serving(steps, engine=engine), workers=2, retention=NOTHING_PAST)
    new = os.urandom(len(LARGE))
    await asyncio.to_thread(page.write_bytes, new)
    await supervisor.reload()
    assert await fetched(supervisor) == {new}
    await until(lambda: [descriptors(pid) for pid in (os.getpid(), *supervisor.pids())] == [1, 1, 1])
    await supervisor.update(config(serving("send: small, close", engine=engine)))
    assert await fetched(supervisor) == {b"small"}
    await until(lambda: [descriptors(pid) for pid in (os.getpid(), *supervisor.pids())] == [0, 0, 0])


@pytest.mark.usefixtures("page")
async def test_payload_file_is_passed_again_to_a_replaced_worker(
    supervise: Supervise, orders: list[tuple[int, int]]
) -> None:
    supervisor = await supervise(serving("send: {file: page}, close"), workers=2)
    pid = supervisor.kill(0)
    await supervisor.until_replaced(0, pid)
    assert [passed for _, passed in orders] == [1, 1, 1]
    assert await fetched(supervisor) == {LARGE}


@pytest.mark.usefixtures("page")
async def test_payload_file_of_a_failed_change_is_passed_again(
    supervise: Supervise, tmp_path: Path, orders: list[tuple[int, int]]
) -> None:
    command = faulty("before prepared", "refuse", slot=1)  # it refuses the first change
    supervisor = await supervise(serving("send: small, close"), workers=2, worker_command=command, files=tmp_path)
    with pytest.raises(InvalidConfig):
        await supervisor.update(config(serving("send: {file: page}, close")))
    assert await fetched(supervisor) == {b"small"}
    await until(lambda: descriptors(supervisor.pids()[0]) == 0)
    pid = supervisor.kill(1)
    await supervisor.until_replaced(1, pid)
    del orders[:]
    with pytest.raises(InvalidConfig):  # the number of the revision is the same
        await supervisor.update(config(serving("send: {file: page}, close")))
    assert [passed for _, passed in orders] == [1, 1]


async def test_large_file_takes_the_memory_of_one_copy(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = await supervise(serving("send: small, close"), workers=3)
    size = 16 << 20
    (tmp_path / "page").write_bytes(os.urandom(size))
    await fetched(supervisor)
    before = proportional_bytes(supervisor.pids())
    supervisor.path.write_text("listeners:" + serving("send: {text: head}, send: {file: page}, close"))
    await supervisor.reload()
    assert {len(each) for each in await fetched(supervisor, count=9)} == {size + 4}
    assert proportional_bytes(supervisor.pids()) - before < 1.3 * size


async def test_worker_without_descriptors_for_files_rejects_and_keeps_serving(
    supervise: Supervise, tmp_path: Path
) -> None:
    supervisor = await supervise(serving("send: small, close"), workers=2, files=tmp_path)
    steps = []
    for number in range(20):
        (tmp_path / f"page{number}").write_bytes(bytes([number]) * LARGE_BYTES)
        steps.append(f"send: {{file: page{number}}}")
    pid = supervisor.pids()[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (20, 20))
    with pytest.raises(
        ChangeFailed,
        match=r"worker 1: no descriptors are free for \d+ of 20 sockets and files \(RLIMIT_NOFILE 20\); nothing",
    ):
        await supervisor.update(config(serving(", ".join([*steps, "close"]))))
    assert await fetched(supervisor) == {b"small"}
    supervisor.kill(1)
    await supervisor.until_replaced(1, pid)
    await supervisor.update(config(serving(", ".join([*steps, "close"]))))
    assert await fetched(supervisor) == {b"".join(bytes([number]) * LARGE_BYTES for number in range(20))}
