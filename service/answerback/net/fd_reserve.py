"""Descriptors kept free, so that sockets can be passed to a process whose clients have taken all the others.

At EMFILE, SCM_RIGHTS delivers a part of the descriptors, silently.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

RESERVED = 32
SHARE = 8  # of connections of one kind to a process that is not there for them: one in so many descriptors
LEAST = 8  # of them in any case


def reserve() -> int:
    """Raise the soft limit to all but RESERVED of the hard one; the new soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _all_but_reserved(hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def bounded(most: int) -> int:
    """How many connections of one kind there may be, at most `most`, so that they never take all descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(most, max(LEAST, _all_but_reserved(hard) // SHARE))


def _all_but_reserved(hard: int) -> int:
    return max(hard - RESERVED, hard // 2)


@contextmanager
def reserve_released() -> Iterator[None]:
    """Let descriptors be taken from the reserve."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
