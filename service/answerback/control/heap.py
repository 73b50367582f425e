"""Bounds the memory that malloc keeps after a flood on the admin port.

gRPC reads each connection into blocks that grow with what is sent without a pause, in several threads. glibc serves
these from one heap per thread, and dynamically raises the size up to which it does so: freed blocks then stay between
others that are in use. Blocks with mappings of their own go back to the kernel when they are freed.
"""

import ctypes
from typing import Final

M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
M_ARENA_MAX: Final = -8

OWN_MAPPING_BYTES: Final = 32 << 10  # a block this large has a mapping of its own; gRPC's largest have 64 KiB


def bound() -> bool:
    """Set this for the whole process; call it before threads are started. False if the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl has none, and returns freed blocks anyway
        return False
    return bool(mallopt(M_ARENA_MAX, 1) and mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES))
