"""The script in progress on a connection: the steps of the rule that answers, as far as they were not taken."""

from collections.abc import Generator, Iterable, Iterator
from math import inf
from types import GeneratorType
from typing import TYPE_CHECKING, Final, NamedTuple

from answerback.core.actions import CloseReason
from answerback.core.context import Captures, RequestContext
from answerback.core.expressions import EvaluationError
from answerback.core.faults import Reply
from answerback.core.plan import Rule
from answerback.core.selection import Selector
from answerback.core.session.observer import Observer
from answerback.core.steps import EndSession, Hang, Receive, Step, failed

if TYPE_CHECKING:
    from answerback.core.framing import Framing

# Rule: a suspended script is the iterator of its remaining steps, and resumes where it stopped.

HANG_SECONDS: Final = 3600.0  # duration of `hang` if the listener has no max_lifetime
# Max. bytes of replies that the kernel has not taken: bounds the cost of a client that never reads.
OUTPUT_AHEAD: Final = 64 << 10
# CPU time that a connection may use before other connections run. 60 connections that each use it up in one iteration
# of the event loop take 60 ms. Stopping and resuming costs some 10 us, 1 % of it.
TURN_SECONDS: Final = 0.001
FREE_STEPS: Final = 3  # steps taken before the clock is read: most scripts have no more
STEPS_AT_ONCE: Final = 8  # steps that a fault may swallow before the clock is read
SEARCHING: Final = Rule("", -1, (lambda _context: None,))  # stands for a rule whose search is still in progress
END_OF_HANG: Final = EndSession(by_reset=False, reason=CloseReason.MAX_LIFETIME)


class Interrupted(NamedTuple):
    """A script that waits for a frame while a rule on IDLE acts, and what its steps see."""

    script: "ScriptRun"
    request: bytes
    captures: Captures | None


class ScriptRun:
    """A script that waits: for a time, for a frame, for its connection's turn, or for the peer to give up."""

    __slots__ = (
        "answers_request",
        "framer",
        "hang",
        "interrupted",
        "is_tick",
        "receive",
        "resume_at",
        "signal",
        "steps",
    )

    answers_request: bool
    """Whether it answers a request, and not another event."""
    resume_at: float
    """When the next step is taken; `inf` if that does not depend on the time."""
    receive: Receive | None
    """The frame that it waits for; `framer` is that of its framing."""
    hang: Hang | None
    """Set if it hangs: the only step left is the end of the connection."""
    signal: str
    """The signal that it waits for; empty if it waits for none."""
    is_tick: bool
    """Whether it is that of a rule on TICK: it does not restart the idle timeout."""
    interrupted: "Interrupted | None"
    """The script that waits for a frame meanwhile."""

    def __init__(
        self, steps: Iterator[Step], resume_at: float, receive: Receive | None = None, signal: str = ""
    ) -> None:
        self.steps = steps
        self.resume_at = resume_at
        self.answers_request = False
        self.receive = receive
        self.framer: Framing | None = None if receive is None else receive.framing.new_framer()
        self.hang = None
        self.signal = signal
        self.is_tick = False
        self.interrupted = None

    @classmethod
    def hanging(cls, hang: Hang, now: float, lifetime: float) -> "ScriptRun":
        """Return one that ends the connection after an hour, unless its lifetime does."""
        run = cls(iter((END_OF_HANG,)), now + (HANG_SECONDS if lifetime == inf else inf))
        run.hang = hang
        return run


def resolve(script: Iterable[Step], context: RequestContext, observer: Observer | None) -> Reply:
    """Yield the results of a script's steps, each step taken on demand."""
    for number, step in enumerate(script, 1):
        try:
            result = step(context) if callable(step) else step
        except EvaluationError as problem:
            result = failed(problem)
        if observer is not None:
            observer.step_taken(result)
        if isinstance(result, GeneratorType):
            yield from result
        else:
            yield result
        if not number % STEPS_AT_ONCE:
            yield None  # lets the turn end even if a fault drops everything


def search(selector: Selector, request: bytes, context: RequestContext) -> Generator[None, None, Rule | None]:
    """Search for a rule in parts, and cache what is found."""
    rule = yield from selector.search_in_parts(request, context)
    if selector.rule_cache is not None:
        selector.rule_cache.store(request, rule)
    return rule
