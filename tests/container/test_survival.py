"""A container under load that is stopped, killed or paused, or whose disk is full or read-only."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.container.conftest import USER, Run, healthy
from tests.container.docker import answerback, ask, docker, inside, inspect, refused
from tests.waiting import eventually

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

STATE = "/var/lib/answerback"
SLOW = "listeners: [{name: slow, address: '0.0.0.0:8000', rules: [{do: [delay: 300ms, send: done, close]}]}]\n"
CLIENTS = 20
PAUSED_S = 20  # four times what a worker may be silent for


def answering(text: str) -> str:
    """A configuration, on one line."""
    return f"listeners: [{{name: hello, address: '0.0.0.0:8000', rules: [{{do: [send: '{text}', close]}}]}}]\n"


def workers(container: str) -> list[tuple[int, int]]:
    status = json.loads(answerback(container, "status", "-o", "json"))
    return [(worker["pid"], worker.get("restarts", 0)) for worker in status["workers"]]


def test_container_stop_under_load_loses_no_reply(run: Run, tmp_path: Path) -> None:
    """Every client that connected gets its whole reply; then connecting is refused."""
    file = tmp_path / "slow.yaml"
    file.write_text(SLOW)
    container = run("serve", "--config", "/slow.yaml", options=("--volume", f"{file}:/slow.yaml:ro"))
    address = inside(container)
    under_way = threading.Barrier(CLIENTS + 1)

    def talk() -> list[bytes]:
        replies = [ask(address)]
        under_way.wait(timeout=60)
        while True:
            try:
                connection = socket.create_connection(address, timeout=30)
            except OSError:  # refused, or the container's network is gone
                return replies
            with closing(connection):
                connection.sendall(b"hi")
                replies.append(connection.recv(64))

    with ThreadPoolExecutor(CLIENTS) as pool:
        talks = [pool.submit(talk) for _ in range(CLIENTS)]
        under_way.wait(timeout=60)
        docker("stop", container)
        replies = [reply for each in talks for reply in each.result(timeout=60)]
    assert len(replies) > CLIENTS
    assert set(replies) == {b"done"}
    assert inspect(container)["State"]["ExitCode"] == 0


def test_container_killed_and_restarted_serves_the_last_configuration(run: Run) -> None:
    container = run("serve", "--state", STATE, options=("--volume", STATE))
    answerback(container, "apply", "-", say=answering("Changed."))
    docker("kill", container)
    assert inspect(container)["State"]["ExitCode"] == 137
    docker("start", container)
    healthy(container)
    assert ask(inside(container)) == b"Changed."


def test_full_volume_rejects_changes_and_keeps_serving(run: Run) -> None:
    container = run("serve", "--state", STATE, options=("--tmpfs", f"{STATE}:size=256k,uid={USER},mode=0700"))
    docker("exec", container, "sh", "-c", f"dd if=/dev/zero of={STATE}/filler bs=1k 2>/dev/null; true")
    said = refused("exec", "-i", container, "answerback", "apply", "-", say=answering("x" * 4096))
    assert "Traceback" not in said
    assert ask(inside(container)) == b"Hello, World!"
    docker("exec", container, "rm", f"{STATE}/filler")
    answerback(container, "apply", "-", say=answering("Changed."))
    assert ask(inside(container)) == b"Changed."


def test_container_with_read_only_state_volume_does_not_start(run: Run, image: str) -> None:
    container = run("serve", "--state", STATE, options=("--volume", STATE))
    answerback(container, "apply", "-", say=answering("Changed."))
    docker("stop", container)
    said = refused("run", "--rm", "--volumes-from", f"{container}:ro", image, "serve", "--state", STATE)
    assert said == f"Error: --state {STATE}: Read-only file system; use a writable directory\n"
    docker("start", container)
    healthy(container)
    assert ask(inside(container)) == b"Changed."


def test_container_paused_continues_with_the_same_workers(run: Run) -> None:
    container = run()
    before = workers(container)
    with closing(socket.create_connection(inside(container), timeout=30)) as waiting:
        docker("pause", container)
        threading.Event().wait(PAUSED_S)  # the pause is what is tried; there is nothing else to wait for
        docker("unpause", container)
        waiting.sendall(b"hi")
        assert waiting.recv(64) == b"Hello, World!"
    eventually(lambda: ask(inside(container)) == b"Hello, World!", what="it answers")
    assert workers(container) == before
