"""The files of Unix sockets: created, replaced when their owner is dead, and removed.

One socket serves all slots, because SO_REUSEPORT exists for ports only. Every worker accepts on it.
"""

# Rule: a file is removed only if it is a socket that is ours, or on which no process listens.

import errno
import logging
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REASONS: Final[Mapping[int, str]] = {
    errno.EADDRINUSE: "another process listens on it; `ss -lxp` shows the process",
    errno.EEXIST: "the file exists and is not a socket",
    errno.ENOENT: "the directory does not exist",
    errno.ENOTDIR: "the directory does not exist",
    errno.EACCES: "no permission to create a socket in the directory",
    errno.EROFS: "the directory is read-only",
}


HIDDEN: Final = ".hidden"  # suffix of the file of a hidden socket

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SocketFile:
    """The file of a socket of ours."""

    path: str
    identity: tuple[int, int, int]
    """Device, inode, and creation time: inode numbers are reused."""

    def remove(self) -> None:
        """Remove it, hidden or not, unless another file has replaced it."""
        for path in (self.path, self.path + HIDDEN):
            with suppress(OSError):
                if _identity(path) == self.identity:
                    Path(path).unlink()


def bind(path: str) -> tuple[socket.socket, SocketFile]:
    """Create a socket at a path, with the permissions of the umask; hidden, and not listening yet. Raises OSError.

    It is bound at the path itself, so that `ss` and clients see that as its name.
    """
    make_way(path + HIDDEN)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            sock.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            make_way(path)
            sock.bind(path)
        file = SocketFile(path, _identity(path))
        hide(path)
    except OSError:
        sock.close()
        raise
    return sock, file


def make_way(path: str) -> None:
    """Remove the file of a dead socket, if there is one. Raises OSError if it is something else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a socket with a full queue has an owner too
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)


def hide(path: str) -> None:
    """Hide the file of a socket of ours; queued connections stay. Raises OSError."""
    with suppress(FileNotFoundError):  # it is hidden already
        Path(path).rename(path + HIDDEN)


def show(path: str) -> None:
    """Show the file again, unless another file has taken the path."""
    try:
        os.link(path + HIDDEN, path)
        Path(path + HIDDEN).unlink()
    except FileNotFoundError:  # it was not hidden
        return
    except OSError as error:
        log.error("%s: %s; it stays %s", path, error.strerror, path + HIDDEN)  # noqa: TRY400 - the text says it all


def reason(error: OSError) -> str:
    """Return why the socket cannot be created, as a message."""
    return REASONS.get(error.errno or 0) or f"cannot listen: {error.strerror or error}"


def _identity(path: str) -> tuple[int, int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns
