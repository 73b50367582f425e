"""Reasons for which the admin API cannot listen."""

import socket
from pathlib import Path

from answerback.control.address import parse
from answerback.control.bind_check import obstacle


def test_free_port_has_no_obstacle() -> None:
    assert obstacle(parse("127.0.0.1:0")) == ""


def test_bind_check_reports_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert obstacle(parse(f"127.0.0.1:{taken.getsockname()[1]}")) == "Address already in use"


def test_bind_check_reports_an_address_of_another_machine() -> None:
    assert obstacle(parse("192.0.2.1:0")) == "Cannot assign requested address"


def test_unix_socket_in_use_is_an_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(path))
        taken.listen()
        assert obstacle(parse(f"unix:{path}")) == "another process listens on it; `ss -lxp` shows the process"
    assert obstacle(parse(f"unix:{path}")) == ""  # left behind: no process listens any more


def test_bind_check_reports_unix_paths_that_cannot_be_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert obstacle(parse(f"unix:{file}")) == "the file exists and is not a socket"
    assert obstacle(parse(f"unix:{tmp_path}/none/admin")) == "the directory does not exist"
    assert obstacle(parse(f"unix:{tmp_path}/admin")) == ""
    assert obstacle(parse(f"unix:{tmp_path}/{'long' * 40}")) == "cannot listen: AF_UNIX path too long"
    assert list(tmp_path.iterdir()) == [file]
