"""The files of Unix sockets."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from answerback.supervisor.sockets import unix
from answerback.supervisor.sockets.table import CannotListen, Sockets


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "it.sock")


def there(path: str) -> bool:
    return os.path.lexists(path)


def dead(path: str) -> None:
    """What one that was killed has left."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()


def test_unix_socket_permissions_follow_the_umask(path: str) -> None:
    former = os.umask(0o117)
    try:
        sock, file = unix.bind(path)
    finally:
        os.umask(former)
    with sock:
        unix.show(path)
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o660
    file.remove()
    file.remove()
    assert not os.path.lexists(path)


def test_unix_socket_file_left_by_a_dead_process_is_replaced(path: str) -> None:
    dead(path)
    sock, file = unix.bind(path)
    with sock:
        sock.listen()
        unix.show(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    file.remove()


@pytest.mark.parametrize("backlog", [10, 0])
def test_unix_path_where_a_process_answers_is_in_use(path: str, backlog: int) -> None:
    with socket.socket(socket.AF_UNIX) as taken, socket.socket(socket.AF_UNIX) as client:
        taken.bind(path)
        taken.listen(backlog)
        client.connect(path)  # with a backlog of 0 the queue is full
        with pytest.raises(OSError) as refused:
            unix.bind(path)
        assert refused.value.errno == errno.EADDRINUSE
    assert os.path.lexists(path)


def test_unix_path_that_is_no_socket_is_left_alone(path: str) -> None:
    Path(path).write_text("precious")
    with pytest.raises(OSError) as refused:
        unix.bind(path)
    assert unix.reason(refused.value) == "the file exists and is not a socket"
    Path(path).unlink()
    Path(path).symlink_to("elsewhere")
    with pytest.raises(OSError):
        unix.bind(path)
    assert Path(path).is_symlink()


def test_unix_socket_file_of_another_process_is_not_removed(path: str) -> None:
    sock, file = unix.bind(path)
    sock.close()
    Path(path + unix.HIDDEN).unlink()
    dead(path)
    file.remove()
    assert os.path.lexists(path)


async def test_unix_socket_is_shared_by_all_slots(sockets: Sockets, path: str) -> None:
    key = f"unix:{path}"
    with sockets.binding([key]) as bound:
        async with sockets.changing(bound):
            pass
    assert sockets.of(0)[key] is sockets.of(1)[key]
    assert sockets.address(key) == key
    sockets.close([key])
    assert not there(path)


def test_unix_socket_not_decided_leaves_no_file(sockets: Sockets, path: str) -> None:
    with sockets.binding([f"unix:{path}"]):
        assert os.path.lexists(path + unix.HIDDEN)
        assert not os.path.lexists(path)
    assert not os.path.lexists(path + unix.HIDDEN)
    assert not os.path.lexists(path)


def test_hidden_unix_socket_is_replaced_only_if_its_process_is_dead(path: str) -> None:
    dead(path + unix.HIDDEN)
    sock, _ = unix.bind(path)
    with sock:
        sock.listen()
        with pytest.raises(OSError, match="in use"):
            unix.bind(path)


def test_unix_path_that_cannot_be_bound_is_reported_with_the_reason(sockets: Sockets, path: str) -> None:
    keys = [f"unix:{path}/none", f"unix:{path}", "unix:/none/it.sock"]
    Path(path).touch()
    with pytest.raises(CannotListen) as raised, sockets.binding(keys):
        pass
    assert raised.value.reasons == {
        keys[0]: "the directory does not exist",
        keys[1]: "the file exists and is not a socket",
        keys[2]: "the directory does not exist",
    }


def test_hidden_unix_socket_is_not_found_until_shown(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    sock, file = unix.bind(path)
    with sock:
        sock.listen()
        for _ in range(2):
            unix.hide(path)
            assert not Path(path).exists()
        unix.show(path)
        unix.show(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        unix.hide(path)
        file.remove()
    assert not list(tmp_path.iterdir())


def test_unix_path_taken_by_another_file_meanwhile_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "s"
    sock, file = unix.bind(str(path))
    with sock:
        unix.hide(str(path))
        path.write_text("another's")
        unix.show(str(path))
        file.remove()
    assert f"{path}: File exists; it stays {path}.hidden" in caplog.text
    assert [each.read_text() for each in tmp_path.iterdir()] == ["another's"]


def test_unix_socket_file_removed_meanwhile_is_no_error(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(path)
    found = os.lstat(path)
    Path(path).unlink()
    monkeypatch.setattr(os, "lstat", lambda _path: found)
    unix.make_way(path)
