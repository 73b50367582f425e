"""Counting this process's open descriptors, for tests that say that none is left open."""

import gc
from pathlib import Path


def descriptors() -> int:
    """How many are open, once what other tests left to the garbage collector is closed."""
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
