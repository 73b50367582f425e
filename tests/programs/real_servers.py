"""Servers of other projects, which clients reach through Answerback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import eventually


def listening(port: int) -> bool:
    """Whether something accepts connections there; this look is a connection, too."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started(command: list[str], folder: Path, port: int, **options: object) -> Iterator[Callable[[], None]]:
    """A server for the length of the block, or until what this yields is called."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **options)  # type: ignore[call-overload]

    def stop() -> None:
        process.terminate()
        process.wait(20)

    try:
        eventually(lambda: listening(port), what="the server listens")
        yield stop
    finally:
        if process.poll() is None:
            stop()


@contextmanager
def postgres(port: int) -> Iterator[Callable[[], None]]:
    """A new PostgreSQL that lets the user `me` in, for the length of the block, or until what this yields is called."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    where = {name: str(binaries[-1] / name) if binaries else name for name in ("initdb", "postgres")}
    for name in where.values():
        assert shutil.which(name), f"{name} is not installed"
    with tempfile.TemporaryDirectory(prefix="answerback-") as folder:  # root's folders of pytest are closed to others
        options: dict[str, object] = {"env": {**os.environ, "LC_ALL": "C"}}
        if os.geteuid() == 0:  # as which it refuses to run
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            options["user"] = "postgres"
        initdb = [where["initdb"], "-D", folder, "-E", "UTF8", "-A", "trust", "-U", "me"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **options)  # type: ignore[call-overload]
        server = [where["postgres"], "-D", folder, "-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1"]
        with started(server, Path(folder), port, **options) as stop:
            yield stop
