"""The real worker, with a failure at a moment that a test chooses.

    python faulty_worker.py MOMENT FAULT REVISION SLOT <arguments of a worker>

It fails at that revision, in that slot (`any` for all). Moments: `before prepared`, `after prepared`, `before commit`,
`before committed`, `after committed`, by the report that is sent then, and `start`. Faults: `refuse` (where that is
possible), `raise`, `die`, `hang` (the whole process), `stall` (only the thread: the compiling one, or the loop's),
`spin` (an endless loop), `stall beside a thread` (which goes on), `crawl` (for 3 s, in the loop's thread).
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from answerback.core.plan import Plan
from answerback.internal.v1.link_pb2 import Event, Prepare
from answerback.language.problems import InvalidConfig, Problem
from answerback.link import Link
from answerback.net.listeners import NO_FILLERS, Fillers, Listeners
from answerback.shared.counters import PROGRESS, SharedCounters
from answerback.worker import start, worker
from answerback.worker.plans import Compiled, compile_command

MOMENT, FAULT, REVISION, SLOT = sys.argv[1:5]


def fail() -> NoReturn:
    if FAULT == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULT == "refuse":
        raise InvalidConfig([Problem("listeners[0]", "this worker refuses")])
    if FAULT == "raise":
        raise RuntimeError("a fault on purpose")
    if FAULT == "hang":
        os.kill(os.getpid(), signal.SIGSTOP)
    if FAULT == "stall beside a thread":
        threading.Thread(target=go_on, daemon=True).start()
    while FAULT == "spin":
        pass
    threading.Event().wait()
    raise AssertionError("the wait has no end")


def go_on() -> None:
    while True:
        threading.Event().wait(0.01)


def crawl() -> None:
    """Keep the loop busy with work that goes on, for longer than a test's watchdog is patient."""
    given = start.Arguments.parse(sys.argv[1:])
    cells = SharedCounters(given.counters, given.slots).region(given.region)
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        cells[PROGRESS] += 1
        threading.Event().wait(0.1)


class FaultyLink(Link[Any]):
    def send(self, message: Any, sockets: Any = (), files: Any = ()) -> None:
        kind = message.WhichOneof("kind") if isinstance(message, Event) else ""
        concerned = kind in ("prepared", "committed") and getattr(message, kind).revision == int(REVISION)
        if concerned and f"before {kind}" == MOMENT:
            fail()
        super().send(message, sockets, files)
        if concerned and f"after {kind}" == MOMENT:
            crawl() if FAULT == "crawl" else fail()


class FaultyListeners(Listeners):
    def commit(self, plan: Plan, sockets: Mapping[str, Any], fillers: Fillers = NO_FILLERS) -> None:
        if MOMENT == "before commit" and plan.revision == int(REVISION):
            fail()
        super().commit(plan, sockets, fillers)


def faulty_compile(order: Prepare, *given: Any) -> Compiled:
    if MOMENT == "before prepared" and FAULT in ("refuse", "stall") and order.revision == int(REVISION):
        fail()
    return compile_command(order, *given)


if __name__ == "__main__":
    sys.argv[1:5] = []
    if SLOT in ("any", start.Arguments.parse(sys.argv[1:]).slot.__str__()):
        if MOMENT == "start":
            fail()
        vars(worker).update(Link=FaultyLink, Listeners=FaultyListeners, compile_command=faulty_compile)
    start.run()
