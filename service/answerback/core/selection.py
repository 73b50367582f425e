"""Which rule answers: the first that matches, found without trying each one where that is possible."""

from math import inf
from typing import TYPE_CHECKING, Final

from answerback.core.context import RequestContext
from answerback.core.expressions.errors import SEARCH_WORK, search_budget
from answerback.core.matching.effort import WEIGHED_BYTES, effort_of, in_parts
from answerback.core.pattern_sets import Sets
from answerback.core.reply_cache import ReplyCache, RuleCache

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from answerback.core.plan import Rule

MAX_PATTERNS_IN_SETS: Final = 10_000  # of all states: each state has sets of its own
MIN_PATTERNS_IN_SETS: Final = 8  # with fewer patterns, searching one by one is cheaper than a set
# What is tried without a look at the clock, by `Effort.weight`: some 0.2 ms.
WEIGHT_AT_ONCE: Final = 2048
PATTERN_IN_SET_WEIGHT: Final = 2  # a set of 64 takes some 10 us
MIN_CACHED_WEIGHT: Final = 64  # cheaper searches are as fast as a cache look-up


class Selector:
    """Finds the first rule that matches a request.

    Rules with `equals` are looked up in a table, so that many of them cost as much as one. The others are tried in
    order, but only those before the rule that the table found. Many patterns are searched for together.
    """

    __slots__ = (
        "_all_in_sets",
        "_by_equality",
        "_counts_work",
        "_otherwise",
        "_sets",
        "_tried",
        "caches_replies",
        "look_up",
        "max_search_bytes",
        "reply_cache",
        "rule_cache",
    )

    look_up: "Callable[[bytes], Rule | None] | None"
    """Like `search`, if the result is in a table."""
    caches_replies: bool
    """Whether replies are cached: they depend on the bytes alone, and a look-up is no slower than a search."""
    reply_cache: ReplyCache
    """The cached replies by the whole read."""
    rule_cache: RuleCache | None
    """The cache of expensive searches whose result depends on the bytes alone."""
    max_search_bytes: int
    """Max. length of a request for `search`; use `search_in_parts` for longer ones."""

    def __init__(self, rules: "Sequence[Rule]", *, copies: int = 1) -> None:
        """`copies`: how many selectors these rules may be in."""
        self.reply_cache = ReplyCache()
        self._by_equality: dict[bytes, tuple[int, Rule | None]] = {}
        self._tried: list[tuple[int, Rule, int]] = []  # with the position of its pattern in the sets, or -1
        otherwise: Rule | None = None
        last = len(rules)
        for index, rule in enumerate(rules):
            if rule.matches is None and not rule.counted:
                last, otherwise = index, rule
                break
        self._otherwise = last, otherwise
        rules = rules[:last]  # rules behind it are unreachable
        patterns = [rule.pattern for rule in rules if rule.pattern is not None]
        together = MIN_PATTERNS_IN_SETS <= len(patterns) <= MAX_PATTERNS_IN_SETS // copies
        self._sets = Sets(patterns, copies=copies) if together else None
        position = 0
        for index, rule in enumerate(rules):
            if rule.equals is not None and not rule.counted:
                self._by_equality.setdefault(rule.equals, (index, rule))
            else:
                in_sets = self._sets is not None and rule.pattern is not None
                self._tried.append((index, rule, position if in_sets else -1))
                position += in_sets
        self._all_in_sets = bool(self._tried) and all(position >= 0 for _, _, position in self._tried)
        self.look_up = None if self._tried else self._table()
        self._weigh()

    def _table(self) -> "Callable[[bytes], Rule | None]":
        """Return the look-up by equality alone."""
        otherwise = self._otherwise[1]
        if self._by_equality:
            return _Table({key: rule for key, (_, rule) in self._by_equality.items()}, otherwise).__getitem__
        return lambda _request: otherwise

    def _weigh(self) -> None:
        """Precompute the cost of a search, and whether its result can be cached."""
        tried = [rule for _, rule, _ in self._tried]
        efforts = [effort_of(rule.matches) for rule in tried if rule.matches is not None]
        by_bytes = all(effort.by_bytes for effort in efforts)
        self._counts_work = any(effort.counts_work for effort in efforts)
        same_each_time = by_bytes and not any(rule.counted for rule in tried)
        weight = sum(_weight(rule, position) for _, rule, position in self._tried)
        alone = sum(_weight(rule, position) for _, rule, position in self._tried if position < 0)
        self.max_search_bytes = (WEIGHT_AT_ONCE // max(1, weight)) * WEIGHED_BYTES - 1
        # A set is searched in 2 us, which is no more than to cache the result for requests that never come again.
        self.rule_cache = RuleCache() if same_each_time and alone >= MIN_CACHED_WEIGHT else None
        self.caches_replies = not tried or self.rule_cache is not None

    def search(self, request: bytes, context: RequestContext) -> "Rule | None":  # noqa: C901 - each call costs 40 ns
        """Return the first rule that matches, or None. Raises SearchTooLong: use `search_in_parts` then."""
        if self._counts_work and search_budget.left == inf:
            return self._search_within_budget(request, context)
        by_equality = self._by_equality
        before, found = by_equality.get(request, self._otherwise) if by_equality else self._otherwise
        sets = self._sets
        if sets is not None and len(request) > sets.longest:
            sets = None
        if sets is not None and self._all_in_sets:
            return self._search_sets(sets, request, context, before) or found
        matching: Iterator[int] | None = None
        reached = -1
        for index, rule, position in self._tried:
            if index > before:
                break
            if position >= 0 and sets is not None:
                if matching is None:
                    matching = iter(sets.matching(request))
                while reached < position:
                    reached = next(matching, len(self._tried))
                if reached != position:
                    continue
            if rule.accepts(request, context):
                return rule
        return found

    def _search_within_budget(self, request: bytes, context: RequestContext) -> "Rule | None":
        """Like `search`, where conditions read other values than the request, of any length."""
        search_budget.left = SEARCH_WORK
        try:
            return self.search(request, context)
        finally:
            search_budget.left = inf

    def search_in_parts(self, request: bytes, context: RequestContext) -> "Generator[None, None, Rule | None]":
        """Like `search`, but yields regularly so that other connections can run."""
        before, found = self._by_equality.get(request, self._otherwise)
        times = 1 + len(request) // WEIGHED_BYTES
        tried = 0
        for rule in self._possible(request, before):
            if rule is None or tried > WEIGHT_AT_ONCE:
                tried = 0
                yield
            if rule is None:
                continue
            weight = _weight(rule, -1) * times
            tried += weight
            if rule.matches is None:
                matched = True
            elif weight > WEIGHT_AT_ONCE or effort_of(rule.matches).counts_work:
                matched = yield from in_parts(rule.matches, request, context)
            else:
                matched = rule.matches(request, context)
            if matched and (not rule.counted or rule.count_match(context)):
                return rule
        return found

    def _possible(self, request: bytes, before: int) -> "Iterator[Rule | None]":
        """Yield the rules to try, without those whose patterns no set found; None after each search of a set."""
        sets = self._sets if self._sets is not None and len(request) <= self._sets.longest else None
        matching: Iterator[int] | None = None
        reached = -1
        for index, rule, position in self._tried:
            if index > before:
                break
            if position >= 0 and sets is not None:
                matching = matching or sets.matching_in_parts(request)
                while reached < position:
                    reached = next(matching, len(self._tried))
                    if reached < 0:
                        yield None
                if reached != position:
                    continue
            yield rule

    def _search_sets(self, sets: Sets, request: bytes, context: RequestContext, before: int) -> "Rule | None":
        """Like `search`, if only patterns in sets are tried: goes through the matching ones only."""
        tried = self._tried
        if tried[0][0] > before:
            return None
        for position in sets.matching(request):
            index, rule, _ = tried[position]
            if index > before:
                break
            if rule.reply is not None:
                return rule  # its captures are not used
            if rule.accepts(request, context):
                return rule
        return None


def _weight(rule: "Rule", position: int) -> int:
    """Return the cost of trying a rule whose pattern has this position in the sets, or -1."""
    if position >= 0:
        return PATTERN_IN_SET_WEIGHT
    return 1 if rule.matches is None else effort_of(rule.matches).weight


class _Table(dict[bytes, "Rule | None"]):
    """Rules by the literal they equal, with a default: a hit runs no Python code."""

    def __init__(self, rules: "Mapping[bytes, Rule | None]", otherwise: "Rule | None") -> None:
        super().__init__(rules)
        self._otherwise = otherwise

    def __missing__(self, request: bytes) -> "Rule | None":
        return self._otherwise


class Rules:
    """The rules on one event: a selector for each state that a rule names, and one for all other states."""

    __slots__ = ("_by_state", "_otherwise", "at_first", "in_order")

    at_first: Selector
    """The selector for a connection whose state no rule has set."""

    def __init__(self, rules: "Sequence[Rule]" = ()) -> None:
        self.in_order = tuple(rules)
        names = {name for rule in rules for name in rule.in_states}
        copies = len(names) + 1
        self._otherwise = Selector([rule for rule in rules if not rule.in_states], copies=copies)
        self._by_state = {
            name: Selector([rule for rule in rules if not rule.in_states or name in rule.in_states], copies=copies)
            for name in names
        }
        self.at_first = self.selector_for("")

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.in_order)

    def selector_for(self, state: str) -> Selector:
        """Return the selector for this state."""
        return self._by_state.get(state, self._otherwise)
