"""What malloc keeps after much memory was used for a moment."""

import subprocess
import sys

import pytest

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


def kept(how: str) -> int:
    """MiB that are still resident after 62 MiB were freed."""
    run = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=False)
    if run.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


def test_freed_blocks_between_used_ones_go_back_to_the_kernel() -> None:
    assert kept("bounded") < 4
    assert kept("as it is") > 40, "otherwise nothing needs to be bounded"
