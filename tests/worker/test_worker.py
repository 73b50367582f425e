"""A real worker with a link in place of a supervisor."""

import asyncio
import os
import select
import signal
import socket
from pathlib import Path
from time import monotonic

import pytest

from answerback.internal.v1.link_pb2 import (
    Abort,
    Adopt,
    AnnounceSynFilters,
    Command,
    Commit,
    Drain,
    File,
    Filler,
    Pause,
    Prepare,
    Release,
    SocketName,
    Stop,
    StopAccepting,
)
from answerback.metrics.snapshot import read_block
from answerback.net.acceptor import BACKLOG, BATCH
from answerback.shared.listener_counters import ACCEPTED
from answerback.supervisor.sockets.backlog_filler import queued
from tests.supervisor.supervising import ask, refused, until
from tests.worker.real_worker import RealWorker, listening

LATE = "{delay: 200ms},"


def descriptors(worker: RealWorker) -> int:
    return len(list(Path(f"/proc/{worker.process.pid}/fd").iterdir()))


def libraries(worker: RealWorker) -> str:
    return Path(f"/proc/{worker.process.pid}/maps").read_text()


async def test_worker_sends_beats_from_its_start(worker: RealWorker) -> None:
    await until(lambda: len(worker.reports) >= 3)
    assert {report.WhichOneof("kind") for report in worker.reports} == {"heartbeat"}


async def test_prepared_revision_is_not_served_before_commit(worker: RealWorker) -> None:
    await worker.serve(1, "one")
    assert await worker.ask() == b"one"
    await worker.prepare(2, "two", "hello")
    assert await worker.ask() == b"one"
    worker.link.send(Command(commit=Commit(revision=2)))
    await worker.answer()
    assert await worker.ask() == b"two"


async def test_aborted_revision_is_dropped_and_its_sockets_closed(worker: RealWorker) -> None:
    await worker.serve(1, "one")
    before = descriptors(worker)
    await worker.prepare(2, "two", "hello", "second", "third")
    worker.link.send(Command(abort=Abort(revision=2)))
    await worker.serve(2, "three", "hello")
    assert descriptors(worker) == before
    assert await worker.ask() == b"three"


async def test_removed_listener_refuses_connections(worker: RealWorker) -> None:
    await worker.serve(1, "one", "hello", "second")
    await worker.serve(2, "two", "hello")
    assert refused(worker.port("second"))
    assert await worker.ask() == b"two"


async def test_worker_serves_adopted_slot_until_release(worker: RealWorker) -> None:
    await worker.serve(1)
    with listening() as orphan:
        port = orphan.getsockname()[1]
        name = SocketName(key="127.0.0.1:0#hello", slot=1)
        worker.link.send(Command(adopt=Adopt(slot=1, sockets=[name])), [orphan])
        assert await asyncio.to_thread(ask, port) == b"one"
        worker.link.send(Command(release=Release(slot=1)))
        await worker.serve(2, "two")
        with socket.create_connection(("127.0.0.1", port)):
            await asyncio.to_thread(wait_readable, orphan)
            orphan.accept()[0].close()
    assert await worker.ask() == b"two"


def wait_readable(sock: socket.socket) -> None:
    poll = select.poll()  # select() takes no descriptor past 1023, and a run of all tests may have that many
    poll.register(sock, select.POLLIN)
    assert poll.poll(10_000), "another worker has accepted it"


async def test_worker_drain_finishes_requests_and_keeps_running(worker: RealWorker) -> None:
    await worker.serve(1, "late", more=LATE)
    answer = asyncio.ensure_future(worker.ask())
    await until(lambda: sum(worker.counters.region(0)[:2]) == 2)
    worker.link.send(Command(drain=Drain()))
    assert (await worker.answer()).HasField("drained")
    assert await answer == b"late"
    assert refused(worker.port())
    assert worker.process.poll() is None


async def test_worker_stop_resets_connections_and_exits_with_0(worker: RealWorker) -> None:
    await worker.serve(1, "late", more="{delay: 1h},")
    with socket.create_connection(("127.0.0.1", worker.port())) as client:
        client.sendall(b"hi")
        await until(lambda: sum(worker.counters.region(0)[:2]) == 2)
        worker.link.send(Command(stop=Stop()))
        assert await worker.ended() == (0, "")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert worker.counters.region(0)[1] == 0, "what was reset has left the books"


async def test_worker_ends_when_its_link_is_closed(worker: RealWorker) -> None:
    await worker.serve(1)
    began = monotonic()
    worker.link.close()
    assert await worker.ended() == (0, "")
    assert monotonic() - began < 1


async def test_worker_answers_during_prepare_of_a_large_configuration(worker: RealWorker) -> None:
    await worker.serve(1)
    order = Prepare(revision=2, files=[File(name="large", data=os.urandom(17 << 20))])
    worker.link.send(Command(prepare=order))
    assert (await worker.answer()).prepared.revision == 2
    assert await worker.ask() == b"one"
    assert max(report.heartbeat.lag_microseconds for report in worker.reports) < 2_000_000


async def test_prepare_of_configuration_that_does_not_compile_is_rejected(worker: RealWorker) -> None:
    await worker.serve(1)
    refusal = await worker.prepare(2, "two", "hello", regex="(")
    assert [problem.path for problem in refusal.rejected.problems] == ["listeners[0]"]
    assert await worker.ask() == b"one"


async def test_worker_ends_at_commit_of_a_revision_not_prepared(worker: RealWorker) -> None:
    worker.link.send(Command(commit=Commit(revision=7)))
    status, said = await worker.ended()
    assert status == 1
    assert "revision 7 cannot be committed: it was not prepared" in said
    assert len(said.splitlines()) == 1


async def test_unknown_order_is_ignored(worker: RealWorker) -> None:
    worker.link.send(Command())
    await worker.serve(1)
    assert await worker.ask() == b"one"


async def test_worker_loads_no_heavy_library_while_serving(worker: RealWorker) -> None:
    await worker.serve(1)
    mapped = libraries(worker)
    assert "uvloop" in mapped
    assert "cygrpc" not in mapped
    assert "_yaml" not in mapped


@pytest.mark.parametrize("end", ["abort", "commit"])
async def test_paused_socket_accepts_clients_but_not_backlog_fillers(worker: RealWorker, end: str) -> None:
    await worker.serve(1, "one", "hello", "second")
    key = "127.0.0.1:0#hello"
    worker.link.send(Command(pause=Pause(sockets=[key])))
    assert (await worker.answer()).HasField("paused")
    assert await worker.ask("second") == b"one"
    with socket.create_connection(("127.0.0.1", worker.port())) as ours:
        host, port = ours.getsockname()
        theirs = asyncio.create_task(worker.ask())
        await until(lambda: queued(worker.sockets[key]) == 2)
        fillers = [Filler(socket=key, host=host, port=port), Filler(socket="another", host=host, port=1)]
        if end == "abort":
            worker.link.send(Command(abort=Abort(revision=2, fillers=fillers)))
        else:
            await worker.prepare(2, "one", "hello", "second")
            worker.link.send(Command(commit=Commit(revision=2, fillers=fillers)))
        assert await theirs == b"one"
        assert await asyncio.to_thread(ours.recv, 1) == b""
    cells = read_block(worker.counters, worker.layout.listeners["hello"])
    assert cells[ACCEPTED] == 1


async def test_clients_queued_at_a_removed_listener_are_all_answered(worker: RealWorker) -> None:
    await worker.serve(1)
    assert (await worker.prepare(2)).HasField("prepared")
    (key,) = worker.sockets
    worker.link.send(Command(announce_syn_filters=AnnounceSynFilters(sockets=[key])))
    assert (await worker.answer()).HasField("syn_filters_announced")
    worker.link.send(Command(commit=Commit(revision=2)))
    assert (await worker.answer()).HasField("committed")
    worker.process.send_signal(signal.SIGSTOP)  # so that more clients wait than it accepts while it reads the command
    worker.sockets[key].listen(BACKLOG)
    clients = [socket.create_connection(("127.0.0.1", worker.port()), timeout=20) for _ in range(10 * BATCH)]
    for client in clients:
        client.sendall(b"hi")
    worker.link.send(Command(stop_accepting=StopAccepting(sockets=[key])))
    worker.process.send_signal(signal.SIGCONT)
    try:
        answers = await asyncio.to_thread(lambda: [client.recv(99) for client in clients])
    finally:
        for client in clients:
            client.close()
    assert answers == [b"one"] * len(clients)
    await until(lambda: worker.kinds()[-1] == "stopped_accepting")
