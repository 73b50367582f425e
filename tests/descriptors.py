"""The open descriptors of this process, and of others, for tests that check that none is left open."""

import gc
from contextlib import suppress
from pathlib import Path

Descriptors = frozenset[tuple[int, str]]


def descriptors(*kinds: str) -> Descriptors:
    """Those that are open: each one's number, and what it is; `kinds`: only those that have one of these in their name.

    Compare with `<=`, never by how many there are: what earlier tests left may be closed meanwhile, by the garbage
    collector or by a thread of a library. Name the kinds where you can: such a thread may open some as well.
    """
    gc.collect()
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself, or what a thread has closed
            target = str(entry.readlink())
            if not kinds or any(kind in target for kind in kinds):
                found.add((int(entry.name), target))
    return frozenset(found)


def open_descriptors(pid: int) -> int:
    """How many another process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
