"""Bounds the memory that malloc keeps after a flood on the admin port.

gRPC reads each connection into blocks that grow with what is sent without a pause, in several threads. glibc serves
these from one heap per thread, and dynamically raises the size up to which it does so: freed blocks then stay between
others that are in use. Blocks with mappings of their own go back to the kernel when they are freed. Smaller ones, such
as the fields of a call's metadata, go back when the heap is trimmed.
"""

import asyncio
import ctypes
import resource
from pathlib import Path
from typing import Final

M_MMAP_THRESHOLD: Final = -3  # mallopt(3)
M_ARENA_MAX: Final = -8

TRIM_SECONDS: Final = 5.0  # seconds between two looks at the memory
TRIM_BYTES: Final = 16 << 20  # growth after which the heap is trimmed, which blocks malloc for some milliseconds
OWN_MAPPING_BYTES: Final = 32 << 10  # a block this large has a mapping of its own; gRPC's largest have 64 KiB


def bound() -> bool:
    """Set this for the whole process; call it before threads are started. False if the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl has none, and returns freed blocks anyway
        return False
    return bool(mallopt(M_ARENA_MAX, 1) and mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES))


async def keep_trimmed() -> None:
    """Trim the heap whenever the process has grown; return if the C library cannot."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return
    kept = resident()
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        now = resident()
        if now > kept + TRIM_BYTES:
            await asyncio.to_thread(trim, 0)
            now = kept = resident()
        kept = min(kept, now)


def resident() -> int:
    """Return the bytes of this process that are in memory (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
