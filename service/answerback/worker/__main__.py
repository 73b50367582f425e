"""`python -m answerback.worker`: a worker, as its supervisor starts it."""

import argparse
import logging
import os
import socket
from collections.abc import Sequence

import uvloop

from answerback import logs
from answerback.metrics.tally import Tally
from answerback.net import descriptors
from answerback.worker import parent
from answerback.worker.worker import Worker

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end; the exit status."""
    parent.ignore_signals()
    given = parse(arguments)
    logs.configure(given.log_format, given.log_level, worker=given.slot)
    link = socket.socket(fileno=given.link)
    parent.end_with_parent(link)
    descriptors.reserve()
    loop = uvloop.new_event_loop()
    return loop.run_until_complete(serve(link, Tally(given.tally, given.slots), given.slot))


async def serve(link: socket.socket, tally: Tally, slot: int) -> int:
    """Carry out orders until one is to end."""
    return await Worker(link, tally, slot).ended


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Nobody types these."""
    parser = argparse.ArgumentParser(prog="answerback.worker", description="Started by `answerback serve`.")
    parser.add_argument("--link", type=int, required=True, help="descriptor of the link to the supervisor")
    parser.add_argument("--tally", type=int, required=True, help="descriptor of the tally")
    parser.add_argument("--slots", type=int, required=True, help="how many slots the tally has")
    parser.add_argument("--slot", type=int, required=True, help="which of them this worker serves in")
    parser.add_argument("--log-format", choices=logs.FORMATS, default="text")
    parser.add_argument("--log-level", choices=logs.LEVELS, default="info")
    return parser.parse_args(arguments)


def run() -> None:
    """Serve, and end this process at once: nothing here is worth the time that an orderly exit takes."""
    try:
        status = main()
    except parent.Orphaned:
        status = 0
    except Exception:
        log.exception("worker failed")
        status = 1
    logging.shutdown()
    os._exit(status)


if __name__ == "__main__":
    run()
