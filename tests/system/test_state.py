"""`answerback serve --state` as a whole: it survives its process, and disks that are full or read-only."""

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from answerback.document.document import load
from answerback.v1 import config_service_pb2 as pb
from answerback.v1.config_pb2 import Config
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub
from tests.system.conftest import ANSWERBACK, RunningServer, Start
from tests.waiting import eventually

pytestmark = pytest.mark.long

TALK = "listeners: [{name: a, address: '127.0.0.1:0', rules: [{do: [send: 'TEXT', close]}]}]"
WRITERS = 50
REVISIONS = 40
LEAVERS = 40

needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")

Mount = Callable[..., None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """`mount(folder, "-t", "tmpfs", …)`; it is unmounted after the test."""
    mounted: list[Path] = []

    def mount(at: Path, *args: str) -> None:
        subprocess.run(["mount", *args, str(at)], check=True)
        if "remount" not in "".join(args):
            mounted.append(at)

    yield mount
    for at in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def config(text: str) -> Config:
    return load(TALK.replace("TEXT", text)).config


class Api:
    """What the tests ask of a server."""

    def __init__(self, running: RunningServer, *, own_connection: bool = False) -> None:
        # Without it, gRPC lets channels to the same address share one connection, and its limit of streams.
        self.channel = grpc.insecure_channel(running.admin, [("grpc.use_local_subchannel_pool", int(own_connection))])
        self.stub: Any = ConfigServiceStub(self.channel)

    def update(self, text: str, etag: str = "", **how: Any) -> pb.UpdateConfigResponse:
        answer: pb.UpdateConfigResponse = self.stub.UpdateConfig(
            pb.UpdateConfigRequest(config=config(text), etag=etag, comment=text), **how
        )
        return answer

    def current(self) -> pb.GetConfigResponse:
        answer: pb.GetConfigResponse = self.stub.GetConfig(pb.GetConfigRequest())
        return answer

    def history(self) -> list[pb.Revision]:
        """All of it, with configurations, the oldest first."""
        found: list[pb.Revision] = []
        request = pb.ListRevisionsRequest(with_config=True)
        while True:
            page = self.stub.ListRevisions(request)
            found += page.revisions
            request.page_token = page.next_page_token
            if not request.page_token:
                return found[::-1]


def whole(history: list[pb.Revision]) -> bool:
    """Numbers without a gap, and each revision made by the change that its comment names."""
    numbers = [one.number for one in history]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and all(
        one.config == config(one.comment) for one in history if one.origin == "api"
    )


# ── The process ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_kill_9_of_all_processes_keeps_acknowledged_changes(start_server: Start, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state"))
    acknowledged = "one"
    for number in range(3):
        running = start_server(TALK.replace("TEXT", "one"), *state)
        assert running.ask(b"hi") == acknowledged.encode()
        api = Api(running)
        for change in range(3):
            acknowledged = f"{number}.{change}"
            api.update(acknowledged)
        running.process.kill()
        running.process.wait()
        api.channel.close()
    running = start_server(TALK.replace("TEXT", "one"), *state, "--workers", "2")
    assert running.ask(b"hi") == acknowledged.encode()
    history = Api(running).history()
    assert whole(history)
    assert [one.number for one in history] == list(range(1, 11))


def test_rollback_history_and_watch_commands_use_the_stored_revisions(start_server: Start, tmp_path: Path) -> None:
    running = start_server(TALK.replace("TEXT", "one"), "--state", str(tmp_path / "state"), "--keep-revisions", "3")
    api = Api(running)
    for text in ("two", "three", "four"):
        api.update(text)
    assert running.cli("rollback", "2").stdout == "revision 5 is active on 1 worker\n"
    assert running.ask(b"hi") == b"two"
    lines = [line.split()[0] for line in running.cli("history").stdout.splitlines()]
    assert lines == ["REVISION", "5", "4", "3"]
    assert "text: four" in running.cli("show", "--revision", "4").stdout
    gone = running.cli("rollback", "1")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "revision 1 is not in the history" in gone.stderr


def test_second_server_on_a_state_directory_does_not_start(start_server: Start, tmp_path: Path) -> None:
    state = tmp_path / "state"
    running = start_server(TALK, "--state", str(state))
    result = start_badly(state)
    assert f"Error: --state {state}: another server uses it; give each server its own directory; " in result
    assert running.ask(b"hi") == b"TEXT"


def start_badly(state: Path) -> str:
    """What `serve` says instead of starting: one line."""
    given = ("--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1", "--state", str(state))
    result = subprocess.run([*ANSWERBACK, "serve", *given], capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


# ── The disk ────────────────────────────────────────────────────────────────────────────────────────────────────────
@needs_mounts
def test_update_on_a_full_disk_fails_and_serving_continues(start_server: Start, tmp_path: Path, mount: Mount) -> None:
    state = tmp_path / "state"
    state.mkdir()
    mount(state, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    running = start_server(TALK.replace("TEXT", "0"), "--state", str(state))
    api = Api(running)
    acknowledged = 0

    def until_full() -> grpc.RpcError:
        nonlocal acknowledged
        while True:
            try:
                api.update(f"{acknowledged + 1}" + "x" * 900)
            except grpc.RpcError as error:
                return error
            acknowledged += 1

    error: Any = until_full()
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    message = f"the revision cannot be recorded: --state {state}: no space left; nothing has changed"
    assert error.details() == message
    assert acknowledged
    assert running.ask(b"hi").startswith(str(acknowledged).encode())
    history = api.history()
    assert whole(history)
    assert [one.number for one in history] == list(range(1, acknowledged + 2))
    refused = running.status()["last_rejected"]
    assert refused["problems"][0]["message"] == message
    assert running.stop() == 0
    assert "no space left; free some space, or" in start_until_full(state)
    mount(state, "-o", "remount,size=128k")
    again = start_server(TALK.replace("TEXT", "0"), "--state", str(state))
    assert again.ask(b"hi").startswith(str(acknowledged).encode())
    assert Api(again).update("more").revision == acknowledged + 2


def start_until_full(state: Path) -> str:
    """Fill what is left, and start."""
    with (state / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(512))
        except OSError:
            pass
    try:
        return start_badly(state)
    finally:
        (state / "filler").unlink()


@needs_mounts
def test_serve_with_read_only_state_directory_fails(start_server: Start, tmp_path: Path, mount: Mount) -> None:
    state = tmp_path / "state"
    state.mkdir()
    running = start_server(TALK, "--state", str(state))
    assert running.stop() == 0
    mount(state, "--bind", str(state))
    mount(state, "-o", "remount,bind,ro")
    assert f"--state {state}: Read-only file system; use a writable directory" in start_badly(state)


@needs_mounts
def test_update_with_read_only_state_directory_fails_until_it_is_writable(
    start_server: Start, tmp_path: Path, mount: Mount
) -> None:
    state = tmp_path / "state"
    running = start_server(TALK.replace("TEXT", "one"), "--state", str(state))
    api = Api(running)
    api.update("two")
    mount(state, "--bind", str(state))
    mount(state, "-o", "remount,bind,ro")
    with pytest.raises(grpc.RpcError) as raised:
        api.update("three")
    error: Any = raised.value
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert f"--state {state}: no file can be created in it; nothing has changed" in error.details()
    assert running.ask(b"hi") == b"two"
    assert [one.number for one in api.history()] == [1, 2]
    mount(state, "-o", "remount,bind,rw")
    assert api.update("three").revision == 3
    assert running.ask(b"hi") == b"three"
    assert whole(api.history())


# ── Many at once ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_revision_has_one_winner_of_50_writers_with_an_etag(start_server: Start, tmp_path: Path) -> None:
    """Each reads the active configuration and changes it, until there is a given number of revisions."""
    running = start_server(TALK.replace("TEXT", "0"), "--state", str(tmp_path / "state"))
    api = Api(running)
    failures: list[grpc.StatusCode] = []

    def write(writer: int) -> list[tuple[str, str, int]]:
        """What was read, what was written, and the revision that it became; over a connection of its own."""
        won = []
        api = Api(running, own_connection=True)
        while (seen := api.current()).revision < REVISIONS:
            try:
                answer = api.update(f"writer-{writer}-on-{seen.revision}", seen.etag)
            except grpc.RpcError as error:
                failures.append(error.code())
            else:
                won.append((seen.etag, f"writer-{writer}-on-{seen.revision}", answer.revision))
        return won

    with ThreadPoolExecutor(WRITERS) as writers:
        won = [each for wins in writers.map(write, range(WRITERS)) for each in wins]
    assert set(failures) == {grpc.StatusCode.ABORTED}
    history = api.history()
    assert whole(history)
    by_number = {number: (etag, text) for etag, text, number in won}
    assert len(by_number) == len(won)  # no two were told the same revision
    for former, one in pairwise(history):
        assert by_number[one.number] == (former.etag, one.comment)  # it was written on top of the one before it
    assert len(history) == len(won) + 1 >= REVISIONS


def test_update_cancelled_at_any_moment_is_applied_whole_or_not_at_all(start_server: Start, tmp_path: Path) -> None:
    """By its deadline or by cancelling, at a moment of the time that a change takes, or a little later."""
    chance = random.Random(17)
    running = start_server(TALK.replace("TEXT", "0"), "--state", str(tmp_path / "state"), "--workers", "2")
    api = Api(running)
    outcomes = {True: 0, False: 0}
    seconds = 0.0
    for number in range(LEAVERS):
        text, settled = f"change-{number}", f"settled-{number}"
        before = api.current().revision
        left = leave(api, text, chance.uniform(0, 2 * seconds), cancels=number % 2 == 0)
        outcomes[left] += 1
        began = time.monotonic()
        newest = api.update(settled).revision  # whatever had begun has been finished before
        seconds = time.monotonic() - began
        history = api.history()
        assert whole(history)
        assert history[-1].number == newest
        made = [one.comment for one in history if one.number > before]
        assert made == [text, settled] or (left and made == [settled])
        assert {running.ask(b"hi") for _ in range(4)} == {settled.encode()}
    assert all(outcomes.values()), outcomes


def leave(api: Api, text: str, after: float, *, cancels: bool) -> bool:
    """Call for a change and leave after some seconds; return whether the answer had not arrived by then."""
    request = pb.UpdateConfigRequest(config=config(text), comment=text)
    call = api.stub.UpdateConfig.future(request, timeout=None if cancels else max(after, 0.0001))
    try:
        call.result(timeout=after if cancels else None)
    except grpc.FutureTimeoutError:
        return bool(call.cancel())
    except grpc.RpcError:
        return True
    return False


def test_watch_command_prints_changes_of_other_clients(start_server: Start, tmp_path: Path) -> None:
    running = start_server(TALK.replace("TEXT", "one"), "--state", str(tmp_path / "state"))
    said = tmp_path / "watched"
    command = [*ANSWERBACK, "watch", "--server", running.admin]
    with said.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as watcher:
        eventually(lambda: len(said.read_text().splitlines()) == 1, what="the active revision")
        Api(running).update("two")
        eventually(lambda: len(said.read_text().splitlines()) == 2, what="the change")
        watcher.kill()
    first, second = said.read_text().splitlines()
    assert first.endswith(" from file")
    assert second.endswith(" from api: two")
