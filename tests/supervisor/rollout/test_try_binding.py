"""A dry run binds new addresses for a moment."""

import socket
from pathlib import Path

import pytest

from answerback.language.problems import InvalidConfig
from tests.ports import free_port
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import config, listener, refused


@pytest.mark.parametrize(
    "family, host, written", [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "[::1]")]
)
async def test_dry_run_reports_a_port_that_is_in_use(
    supervise: Supervise, family: socket.AddressFamily, host: str, written: str
) -> None:
    supervisor = await supervise(listener("one"))
    with socket.socket(family) as other:
        other.bind((host, 0))
        other.listen()
        address = f'"{written}:{other.getsockname()[1]}"'
        wanted = config(listener("one"), listener("two", name="other", address=address))
        with pytest.raises(InvalidConfig) as caught:
            await supervisor.update(wanted, validate_only=True)
        (problem,) = caught.value.problems
        assert problem.path == "listeners[1].address"
        assert "in use" in problem.message
        assert (supervisor.current.number, supervisor.status().rejected) == (1, 0)


async def test_dry_run_leaves_a_free_port_free(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2)
    port = free_port()
    wanted = config(listener("one"), listener("two", name="other", address=f"127.0.0.1:{port}"))
    change = await supervisor.update(wanted, validate_only=True)
    assert (change.changed, supervisor.current.number) == (False, 1)
    assert refused(port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
    assert await supervisor.answers() == {b"one"}
    await supervisor.update(wanted)
    assert await supervisor.answers("other") == {b"two"}


async def test_dry_run_with_the_active_addresses_is_valid(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    change = await supervisor.update(supervisor.current.config, validate_only=True)
    assert not change.changed
    assert await supervisor.answers() == {b"one"}


async def test_dry_run_of_a_unix_socket_leaves_no_file(supervise: Supervise, tmp_path: Path) -> None:
    supervisor = await supervise(listener("one"))
    path = tmp_path / "socket"
    wanted = config(listener("one"), listener("two", name="other", address=f"unix:{path}"))
    await supervisor.update(wanted, validate_only=True)
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(InvalidConfig, match="another process listens on it"):
            await supervisor.update(wanted, validate_only=True)
        assert path.exists()
