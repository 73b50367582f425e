"""The open descriptors of this process, for tests that check that none is left open."""

import gc
from contextlib import suppress
from pathlib import Path

Descriptors = frozenset[tuple[int, str]]


def descriptors() -> Descriptors:
    """Those that are open: each one's number, and what it is.

    Compare with `<=`, never by how many there are: what earlier tests left may be closed meanwhile, by the garbage
    collector or by a thread of a library.
    """
    gc.collect()
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself, or what a thread has closed
            found.add((int(entry.name), str(entry.readlink())))
    return frozenset(found)
