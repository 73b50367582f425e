"""Starts and ends a worker."""

import gc
import logging
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from answerback import logs
from answerback.net import fd_reserve
from answerback.shared.counters import SharedCounters
from answerback.worker import parent
from answerback.worker.worker import Worker

log = logging.getLogger(__name__)


def main(words: Sequence[str]) -> int:
    """Serve until told to end; return the exit status."""
    parent.ignore_signals()
    given = Arguments.parse(words)
    logs.configure(given.log_format, given.log_level, worker=given.slot)
    link = socket.socket(fileno=given.link)
    parent.end_with_parent(link)
    fd_reserve.reserve()
    gc.enable()
    gc.freeze()  # objects loaded so far are permanent: full collections would scan them for 8 ms
    loop = uvloop.new_event_loop()
    return loop.run_until_complete(serve(link, given))


async def serve(link: socket.socket, given: "Arguments") -> int:
    """Execute commands until one says to end; return the exit status."""
    counters = SharedCounters(given.counters, given.slots)
    return await Worker(link, counters, given.slot, given.region, given.variables).ended


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command-line arguments of a worker."""

    link: int
    """The descriptor of the link."""
    counters: int
    """The descriptor of the shared counters."""
    slots: int
    """The number of slots in the shared counters."""
    slot: int
    """The slot whose sockets this worker has."""
    region: int
    """The region in which it counts: the slot's own, or the spare one."""
    variables: str
    """The directory of the shared variables; empty if there is none."""
    log_format: str
    log_level: str

    @classmethod
    def parse(cls, words: Sequence[str]) -> "Arguments":
        """Parse `--link 5 --counters 4 …`, all required. Without argparse, which takes a tenth of the startup time."""
        given = dict(zip(words[::2], words[1::2], strict=True))
        names = ("link", "counters", "slots", "slot", "region")
        link, counters, slots, slot, region = (int(given[f"--{name}"]) for name in names)
        words_given = given["--variables"], given["--log-format"], given["--log-level"]
        return cls(link, counters, slots, slot, region, *words_given)


def run() -> None:
    """Serve, and exit at once without Python's orderly shutdown, which takes time and does nothing useful here."""
    try:
        status = main(sys.argv[1:])
    except parent.Orphaned:
        status = 0
    except Exception:
        log.exception("worker failed")
        status = 1
    logging.shutdown()
    os._exit(status)
