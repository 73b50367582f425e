"""The directory of the shared variables' file, from the start of a server to its end."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

# Rule: a server holds a lock on its directory. One without the lock belonged to a server that was killed: the next one
#       that starts removes it.

# tmpfs, where there is one: the page cache of a disk is as fast, but its pages are written to the disk.
PARENTS: Final = ("/dev/shm", None)  # noqa: S108 - None is the directory that TMPDIR names
PREFIX: Final = "answerback-variables-"


@contextmanager
def variables_folder() -> Iterator[Path]:
    """Make the directory, and remove it at the end. Raises OSError if there is no room for it anywhere."""
    folder, lock = _made()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _made() -> tuple[Path, int]:
    problem: OSError | None = None
    for parent in PARENTS:
        try:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        except OSError as error:
            problem = error
            continue
        lock = _locked(folder)
        if lock is not None and folder.exists():
            _remove_abandoned(folder.parent)
            return folder, lock
    raise problem or FileNotFoundError("another server took the new directory for an abandoned one")


def _locked(folder: Path) -> int | None:
    """Lock a directory; None if it is locked, gone, or of another user."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    """Remove the directories of servers that were killed."""
    with suppress(OSError):
        for folder in parent.glob(f"{PREFIX}*"):
            lock = _locked(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
