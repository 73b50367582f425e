"""The script in progress on a connection: the steps of the rule that answers, as far as they were not taken."""

from collections.abc import Generator, Iterable, Iterator
from math import inf
from types import GeneratorType
from typing import TYPE_CHECKING, Final, NamedTuple

from answerback.core.actions import CloseReason
from answerback.core.context import Captures, RequestContext
from answerback.core.expressions import EvaluationError, SearchTooLong
from answerback.core.faults import Reply
from answerback.core.plan import Event, Rule
from answerback.core.selection import Selector
from answerback.core.session.observer import Observer
from answerback.core.steps import AwaitReplies, EndSession, Hang, Receive, Step, StepResult, failed

if TYPE_CHECKING:
    from answerback.core.framing import Framing

# Rule: a suspended script is the iterator of its remaining steps, and resumes where it stopped.

HANG_SECONDS: Final = 3600.0  # duration of `hang` if the listener has no max_lifetime
# Max. bytes of replies that the kernel has not taken: bounds the cost of a client that never reads.
OUTPUT_AHEAD: Final = 64 << 10
# CPU time that a connection may use before other connections run. 60 connections that each use it up in one iteration
# of the event loop take 60 ms. Stopping and resuming costs some 10 us, 1 % of it.
TURN_SECONDS: Final = 0.001
FREE_STEPS: Final = 1  # taken before the clock is read: a step, or a condition in a search, may take 20 ms
STEPS_AT_ONCE: Final = 2  # steps that a fault may swallow before the clock is read
SEARCHING: Final = Rule("", -1, (lambda _context: None,))  # stands for a rule whose search is still in progress
END_OF_HANG: Final = EndSession(by_reset=False, reason=CloseReason.MAX_LIFETIME)


class Interrupted(NamedTuple):
    """A script that waits for a frame, or for replies, while another rule acts, and what its steps see."""

    script: "ScriptRun"
    request: bytes
    captures: Captures | None
    number: int


class ScriptRun:
    """A script that waits: for a time, a frame, replies of the upstream, its connection's turn, or the peer's end."""

    __slots__ = (
        "awaits",
        "event",
        "framer",
        "hang",
        "interrupted",
        "receive",
        "resume_at",
        "signal",
        "steps",
    )

    event: Event | None
    """REQUEST, REPLY or TICK, if it is the script of a rule on one of these."""
    resume_at: float
    """When the next step is taken; `inf` if that does not depend on the time."""
    receive: Receive | None
    """The frame that it waits for; `framer` is that of its framing."""
    awaits: AwaitReplies | None
    """Which replies of the upstream it waits for."""
    hang: Hang | None
    """Set if it hangs: the only step left is the end of the connection."""
    signal: str
    """The signal that it waits for; empty if it waits for none."""
    interrupted: "Interrupted | None"
    """The script that waits for a frame meanwhile."""

    def __init__(
        self,
        steps: Iterator[Step],
        resume_at: float,
        receive: Receive | None = None,
        signal: str = "",
        awaits: AwaitReplies | None = None,
    ) -> None:
        self.steps = steps
        self.resume_at = resume_at
        self.event = None
        self.receive = receive
        self.framer: Framing | None = None if receive is None else receive.framing.new_framer()
        self.awaits = awaits
        self.hang = None
        self.signal = signal
        self.interrupted = None

    @classmethod
    def hanging(cls, hang: Hang, now: float, lifetime: float) -> "ScriptRun":
        """Return one that ends the connection after an hour, unless its lifetime does."""
        run = cls(iter((END_OF_HANG,)), now + (HANG_SECONDS if lifetime == inf else inf))
        run.hang = hang
        return run

    @classmethod
    def hanging_until(cls, until: float, end: EndSession) -> "ScriptRun":
        """Return one that ends the connection so, unless the peer gives up before."""
        run = cls(iter((end,)), until)
        run.hang = Hang()
        return run


def taken(step: Step, context: RequestContext) -> StepResult:
    """Take a step: a function of the context, or what it always results in."""
    try:
        return step(context) if callable(step) else step
    except EvaluationError as problem:
        return failed(problem)


def resolve(script: Iterable[Step], context: RequestContext, observer: Observer | None) -> Reply:
    """Yield the results of a script's steps, each step taken on demand."""
    for number, step in enumerate(script, 1):
        result = taken(step, context)
        if observer is not None:
            observer.step_taken(result)
        if isinstance(result, GeneratorType):
            yield from result
        else:
            yield result
        if not number % STEPS_AT_ONCE:
            yield None  # lets the turn end even if a fault drops everything


def find(selector: Selector, content: bytes, context: RequestContext) -> Rule | None:
    """Return the rule on an event or a reply; SEARCHING if it has to be searched for in parts."""
    if len(content) > selector.max_search_bytes:
        return SEARCHING
    cache = selector.rule_cache
    if cache is not None and content in cache:
        return cache[content]
    try:
        rule = selector.search(content, context)
    except SearchTooLong:
        return SEARCHING
    if cache is not None:
        cache.store(content, rule)
    return rule


def search(selector: Selector, request: bytes, context: RequestContext) -> Generator[None, None, Rule | None]:
    """Search for a rule in parts, and cache what is found."""
    rule = yield from selector.search_in_parts(request, context)
    if selector.rule_cache is not None:
        selector.rule_cache.store(request, rule)
    return rule
