"""Descriptors kept free, so that sockets can be passed to a process whose clients have taken all the others.

At EMFILE, SCM_RIGHTS delivers a part of the descriptors, silently.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

RESERVED = 32


def reserve() -> int:
    """Raise the soft limit to all but RESERVED of the hard one; the new soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(hard - RESERVED, hard // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


@contextmanager
def reserve_released() -> Iterator[None]:
    """Let descriptors be taken from the reserve."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
