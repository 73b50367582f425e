"""What malloc keeps after much memory was used for a moment."""

import asyncio
import ctypes
import subprocess
import sys

import pytest

from answerback.control import heap

# Many blocks of 64 KiB, each of which is freed, between small ones that stay.
PROGRAM = """
import ctypes, sys
from pathlib import Path
from answerback.control import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

if sys.argv[1] == "bounded" and not heap.bound():
    sys.exit(77)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = libc.memset.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
before, blocks = resident(), []
for _ in range(1000):
    blocks.append(libc.malloc(64 << 10))
    libc.memset(blocks[-1], 1, 64 << 10)
    libc.malloc(100)
for block in blocks:
    libc.free(block)
print(resident() - before)
"""

# Blocks without mappings of their own, and `keep_trimmed`, with the seconds between two looks at the memory.
TRIMMING = """
import asyncio, ctypes, sys
from answerback.control import heap

if not heap.bound():
    sys.exit(77)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = libc.memset.argtypes = [ctypes.c_void_p]
heap.TRIM_SECONDS = float(sys.argv[1])

async def main():
    trimming = asyncio.create_task(heap.keep_trimmed())
    await asyncio.sleep(0)
    before, blocks = heap.resident(), []
    for _ in range(4000):
        blocks.append(libc.malloc(16 << 10))
        libc.memset(blocks[-1], 1, 16 << 10)
        libc.malloc(100)
    for block in blocks:
        libc.free(block)
    for _ in range(1 if heap.TRIM_SECONDS > 1 else 1000):
        kept = heap.resident() - before
        if kept < 24 << 20:  # a quarter of the pages has a small block
            break
        await asyncio.sleep(0.01)
    print(kept >> 20)

asyncio.run(main())
"""


def kept(how: str) -> int:
    """MiB that are still resident after 62 MiB were freed."""
    program = PROGRAM if how in {"bounded", "as it is"} else TRIMMING
    run = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=False)
    if run.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_freed_blocks_between_used_ones_go_back_to_the_kernel() -> None:
    assert kept("bounded") < 4
    assert kept("as it is") > 40, "otherwise nothing needs to be bounded"


def test_heap_is_trimmed_after_it_has_grown() -> None:
    assert kept("0.01") < 24
    assert kept("60") > 40, "otherwise nothing needs to be trimmed"


async def test_heap_is_trimmed_once_for_each_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    least, most = 100 << 20, (100 << 20) + heap.TRIM_BYTES
    sizes = iter([least, most, most + 1, most + 1, most + 1, most + 2, least, most + 1])
    trimmed: list[int] = []
    seen: list[int] = []

    def resident() -> int:
        for size in sizes:
            seen.append(size)
            return size
        raise EOFError

    class Library:
        @staticmethod
        def malloc_trim(_pad: int) -> int:
            trimmed.append(len(seen))
            return 1

    monkeypatch.setattr(heap, "resident", resident)
    monkeypatch.setattr(heap, "TRIM_SECONDS", 0.0)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Library)
    with pytest.raises(EOFError):
        await heap.keep_trimmed()
    assert trimmed == [3, 8], "not at the bound, not again while it stays, and again after it has shrunk and grown"


async def test_heap_of_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    await asyncio.wait_for(heap.keep_trimmed(), 10)
