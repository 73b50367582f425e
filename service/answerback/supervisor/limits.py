"""Checks the machine's limits at startup: descriptors, threads, memory; each shortage gives a clear error."""

# Rule: libraries crash, or raise anything, without threads or descriptors: check before calling them.

import errno
import os
import resource
import threading
from typing import Final

from answerback.supervisor.errors import StartError

DESCRIPTORS: Final = 64  # descriptors before the first listener; 40 were too few to read the configuration
DESCRIPTORS_PER_WORKER: Final = 4
THREADS: Final = 16  # threads of this process: gRPC's, those that read files and write logs
THREADS_PER_WORKER: Final = 4  # threads and processes per worker; half of it is for the worker itself

SHORTAGES: Final = {
    errno.EMFILE: "no descriptor is free; raise RLIMIT_NOFILE (`ulimit -n`)",
    errno.ENFILE: "the machine has no free descriptor; raise fs.file-max",
    errno.ENOMEM: "there is not enough memory; raise RLIMIT_AS (`ulimit -v`), or the limit of the container",
    errno.EAGAIN: "no process can be started; raise RLIMIT_NPROC (`ulimit -u`), or pids.max of the container",
    errno.ENOSPC: "no space left on the device",
}
NO_THREAD: Final = (
    "no thread can be started; raise RLIMIT_NPROC (`ulimit -u`), RLIMIT_AS (`ulimit -v`), or pids.max of the container"
)


def check(workers: int) -> None:
    """Raises StartError if there are too few descriptors or threads for this many workers."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = DESCRIPTORS + DESCRIPTORS_PER_WORKER * workers
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise StartError(f"cannot start: RLIMIT_NOFILE is {limit}, and {needed} are needed; raise it (`ulimit -n`)")
    _try_threads(THREADS + THREADS_PER_WORKER * workers)


def shortage(error: BaseException) -> str | None:
    """Return which resource an exception says is exhausted, if any."""
    if isinstance(error, MemoryError):
        return f"cannot start: {SHORTAGES[errno.ENOMEM]}"
    if isinstance(error, OSError) and error.errno in SHORTAGES:
        return f"cannot start: {SHORTAGES[error.errno]}"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return f"cannot start: {NO_THREAD}"
    return None


def no_room(error: OSError, size: int) -> str:
    """Return why the shared memory cannot be created."""
    what = f"cannot start: no room for the {size >> 20} MiB of address space that all processes share for counters"
    if error.errno == errno.EFBIG:
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        return f"{what}: RLIMIT_FSIZE is {limit}; raise it (`ulimit -f`)"
    return f"{what}: {SHORTAGES.get(error.errno or 0) or error.strerror or os.strerror(error.errno or 0)}"


def _try_threads(count: int) -> None:
    over = threading.Event()
    started = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):
        raise StartError(f"cannot start: {NO_THREAD}") from None
    finally:
        over.set()
        for thread in started:
            thread.join()
