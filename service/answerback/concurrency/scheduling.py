"""Lets workers that have something to do run before the supervisor.

A worker that becomes ready on a core where the supervisor works for long, to read the journal for example, has to wait
for the end of a time slice, some milliseconds. Two things shorten that. Since Linux 6.12 a process may ask for longer
slices, and those with shorter ones that become ready meanwhile mostly run at once. And who works for long offers its
core every few microseconds.
"""

# Rule: who offers its core loses little by it, however many processes want it: see GIVEN_FOR_WORK.

import ctypes
import os
import platform
from struct import Struct
from time import monotonic
from typing import Final

SLICE_SECONDS: Final = 0.01  # longer than the 0.7 to 2.8 ms that a process has by default
NUMBERS: Final = {"x86_64": 314, "aarch64": 274}  # of sched_setattr(2), which few C libraries have
# Its size, the policy, flags, nice value and priority; the slice, or runtime, in nanoseconds; deadline and period.
ATTRIBUTES: Final = Struct("=IIQiIQQQ")
RESET_ON_FORK: Final = 1  # workers have slices of the default length

BRIEF_SECONDS: Final = 0.001  # others that have the core for less than this are workers with a few requests
GIVEN_FOR_WORK: Final = 0.25  # of the time that passes otherwise: the most that others get of it by longer stays


def let_workers_first() -> bool:
    """Ask for longer slices for the thread that calls this. False if the system does not let it.

    A kernel before 6.12 accepts it, and does nothing.
    """
    number = NUMBERS.get(platform.machine())
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    # With RESET_ON_FORK workers would lose a priority that someone has given to all.
    if number is None or nice < 0 or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return False
    slice_nanoseconds = round(SLICE_SECONDS * 1e9)
    attributes = ATTRIBUTES.pack(ATTRIBUTES.size, os.SCHED_OTHER, RESET_ON_FORK, nice, 0, slice_nanoseconds, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)


class Core:
    """The processor core on which a task works that takes longer than a client should wait."""

    def __init__(self) -> None:
        self._offered_from = 0.0

    def offer(self) -> None:
        """Let a process run that is ready and waits for this core: call it every few tens of microseconds.

        On a machine whose cores are all busy others keep the core for some milliseconds. Then it is not offered for a
        multiple of that time, so that work does not take many times as long: it has its share of the core.
        """
        began = monotonic()
        if began < self._offered_from:
            return
        os.sched_yield()
        ended = monotonic()
        if ended - began > BRIEF_SECONDS:
            self._offered_from = ended + (ended - began) / GIVEN_FOR_WORK
