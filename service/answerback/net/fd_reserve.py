"""Reserved file descriptors, so that sockets can be passed to a process whose clients use all the others.

At EMFILE, SCM_RIGHTS delivers a part of the descriptors, silently.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

RESERVED = 32
SHARE = 8  # max. share of descriptors for internal connections of one kind: one in this many
LEAST = 8  # min. number of them


def reserve() -> int:
    """Raise the soft limit to the hard limit minus RESERVED; return the new soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _all_but_reserved(hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def bounded(most: int) -> int:
    """Limit a number of connections of one kind to at most `most`, so that they never use up all descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(most, max(LEAST, _all_but_reserved(hard) // SHARE))


def _all_but_reserved(hard: int) -> int:
    return max(hard - RESERVED, hard // 2)


@contextmanager
def reserve_released() -> Iterator[None]:
    """Allow descriptors to be taken from the reserve within the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
