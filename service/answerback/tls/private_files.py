"""Reads files with keys, certificates and tokens."""

# Rule: errors contain the file's path, never any of its content.

import logging
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

MOST: Final = 1 << 20  # max. bytes; a bundle of all public authorities has a fifth of it


class BadFile(Exception):
    """A file cannot be used; the text begins with its path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PrivateFile:
    """The content of a file when it was read."""

    path: Path
    content: bytes = field(repr=False)
    open_to_all: bool
    """Whether every user of this machine may read it."""


def read(path: Path, most: int = MOST) -> PrivateFile:
    """Read the file. Raises BadFile if it cannot be read, or is larger than `most` bytes."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise BadFile(path, "is not a regular file")
            content = file.read(most + 1)
    except OSError as error:
        raise BadFile(path, error.strerror or str(error)) from None
    if len(content) > most:
        raise BadFile(path, f"has more than {most} bytes")
    return PrivateFile(path, content, bool(mode & stat.S_IROTH))


def _without_waiting(path: str, flags: int) -> int:
    """Open without blocking, as a pipe without a writer would."""
    return os.open(path, flags | os.O_NONBLOCK)


class Trouble:
    """Logs once, not for every call, that new content of files cannot be used."""

    def __init__(self, stays: str) -> None:
        """`stays`: what stays active meanwhile."""
        self._stays = stays
        self._known = ""

    def met(self, error: BadFile) -> None:
        """The files cannot be used now."""
        if str(error) != self._known:
            log.error("%s is still used: %s", self._stays, error)
        self._known = str(error)

    def over(self) -> None:
        """The files can be used again."""
        self._known = ""
