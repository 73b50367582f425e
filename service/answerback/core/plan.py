"""What a worker runs: a configuration, compiled, immutable, swapped by reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf

from answerback.core.actions import Send
from answerback.core.framing import Framing, Read
from answerback.core.matching import Matcher
from answerback.core.steps import Step


class Engine(Enum):
    """The style of asynchronous programming that drives a listener's connections."""

    CALLBACK = "callback"
    COROUTINE = "coroutine"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on connections and requests: seconds, and counts; `inf` and 0 mean none."""

    max_connections: int = 0
    max_connections_per_peer: int = 0
    idle_timeout: float = 300.0
    request_timeout: float = 30.0
    write_timeout: float = 30.0
    lifetime: float = inf
    max_request_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Rule:
    """A match and what to do; `place` is where its matches are counted in the tally."""

    name: str
    place: int
    steps: tuple[Step, ...]
    matches: Matcher | None = None
    """None matches everything."""
    equals: bytes | None = None
    """Set when the match is equality with these bytes, so that it can be looked up."""
    reply: Send | None = field(init=False)
    """All that the rule does, if that is the same for every request and does nothing but send."""

    def __post_init__(self) -> None:
        """Work out what need not be worked out for each request."""
        sends = [step for step in self.steps if isinstance(step, Send)]
        fixed = len(sends) == len(self.steps)
        reply = Send(b"".join(action.data for action in sends)) if fixed else None
        object.__setattr__(self, "reply", reply)  # the dataclass is frozen for everybody else


class Selector:
    """Finds the first rule that matches a request.

    Equality is looked up in a table, so that many such rules cost what one costs; the others are tried in order, and
    only those written before the one that the table found.
    """

    __slots__ = ("_by_equality", "_last", "_otherwise", "_tried", "select")

    select: Callable[[bytes], Rule | None]
    """The first rule that matches the request, or None."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_equality: dict[bytes, tuple[int, Rule]] = {}
        self._tried: list[tuple[int, Matcher, Rule]] = []
        self._otherwise: Rule | None = None
        self._last = len(rules)
        for index, rule in enumerate(rules):
            if rule.matches is None:
                self._last, self._otherwise = index, rule
                break  # nothing behind it can be reached
            if rule.equals is not None:
                self._by_equality.setdefault(rule.equals, (index, rule))
            else:
                self._tried.append((index, rule.matches, rule))
        if self._tried:
            self.select = self._search
        elif self._by_equality:
            self.select = _Table(
                {key: rule for key, (_, rule) in self._by_equality.items()}, self._otherwise
            ).__getitem__
        else:
            otherwise = self._otherwise
            self.select = lambda _request: otherwise

    def _search(self, request: bytes) -> Rule | None:
        before, found = self._by_equality.get(request, (self._last, self._otherwise))
        for index, matches, rule in self._tried:
            if index > before:
                break
            if matches(request):
                return rule
        return found


class _Table(dict[bytes, Rule | None]):
    """Rules by what they are equal to, with one for all else: a look-up that hits runs no code of ours."""

    def __init__(self, rules: Mapping[bytes, Rule], otherwise: Rule | None) -> None:
        super().__init__(rules)
        self._otherwise = otherwise

    def __missing__(self, request: bytes) -> Rule | None:
        return self._otherwise


@dataclass(frozen=True, slots=True)
class ListenerPlan:
    """How one listener's connections are answered."""

    name: str
    address: str
    engine: Engine = Engine.CALLBACK
    framing: Framing = field(default_factory=lambda: Read(1024))
    on_request: Selector = field(default_factory=lambda: Selector(()))
    on_connect: Rule | None = None
    """There is nothing to match on before a request: the first rule on CONNECT acts."""
    limits: Limits = field(default_factory=Limits)
    rule_names: tuple[str, ...] = ()
    """Of all rules, in the order written; for metrics."""
    block: int = 0
    """Where the listener's counts stand in a slot's region of the tally."""
    socket: str = ""
    """The key of the listening socket it is served on."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole configuration: the listeners by name."""

    revision: int
    listeners: Mapping[str, ListenerPlan]


class PlanInForce:
    """The plan that a listener's new conversations go by. Changing `plan` changes it for all of them at once."""

    __slots__ = ("plan",)

    def __init__(self, plan: ListenerPlan) -> None:
        self.plan = plan
