"""A session under observation: which rule it finds and why not an earlier one, which steps it takes."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from answerback.core.actions import Action, CloseReason
from answerback.core.context import RequestContext
from answerback.core.ending import CLOSING, HALF_CLOSED
from answerback.core.matching import Mismatch, Reason
from answerback.core.plan import Asked as Asking
from answerback.core.plan import Rule, Rules, Selector
from answerback.core.session import Session
from answerback.core.steps import Outcome, Step
from answerback.explain.events import PassedOver, RuleName, mark_nearest

# Rule: observers only wrap rules and steps; the wrapped originals make the decisions.


class Watcher(Protocol):
    """The observer."""

    def sending(self, actions: list[Action]) -> None:
        """A script is about to be played: its actions will be appended to this list."""

    def searched(self, event: str, context: Asking, rule: Rule | None, passed_over: Sequence[PassedOver]) -> None:
        """Rules were evaluated."""

    def taking(self, context: RequestContext) -> None:
        """A step is about to be taken."""

    def taken(self, context: RequestContext, outcome: Outcome) -> None:
        """The step has been taken, with this result."""

    def kept(self) -> None:
        """The requests that were found have been removed from the buffer."""

    def ending(self, reason: CloseReason, buffer: bytes) -> None:
        """Input is about to be ignored; `buffer` is what was received since the last finished request."""


class Watched(Session):
    """A session that notifies its watcher."""

    __slots__ = ("watcher",)

    watcher: Watcher

    @property
    def buffer(self) -> bytes:
        """The bytes received since the last finished request."""
        return bytes(self._buffer)

    @property
    def half_closed(self) -> bool:
        """Whether our FIN was sent, and the peer may continue."""
        return self._phase == HALF_CLOSED

    @property
    def closing(self) -> bool:
        """Whether our FIN was sent, and only the peer's FIN is awaited."""
        return self._phase >= CLOSING and not self.over

    @property
    def in_progress(self) -> bool:
        """Whether something will happen without further input, other than a timeout."""
        silence = self._framing is not None and self._framing.idle_gap < float("inf") and self._buffer
        return bool(silence) or (self._script is not None and self._taking is None)

    def _play(self, script: Iterator[Step], actions: list[Action], now: float) -> int:
        self.watcher.sending(actions)
        return super()._play(script, actions, now)

    def _keep(self, at: int) -> None:
        super()._keep(at)
        self.watcher.kept()

    def _end_in_order(self, reason: CloseReason) -> Sequence[Action]:
        self.watcher.ending(reason, self.buffer)
        return super()._end_in_order(reason)

    def _end_by_reset(self) -> Sequence[Action]:
        self.watcher.ending(CloseReason.SERVER_RESET, self.buffer)
        return super()._end_by_reset()

    def _half_close(self) -> Sequence[Action]:
        self.watcher.ending(CloseReason.SERVER_CLOSE, self.buffer)
        return super()._half_close()


class WatchedRules(Rules):
    """The rules on one event. `reasons`, by a rule's place, explain why its match fails."""

    __slots__ = ("_event", "_reasons", "_rules", "_selectors", "_watcher")

    def __init__(
        self, event: str, rules: Sequence[Rule], reasons: Mapping[int, Reason], watcher: Callable[[], Watcher]
    ) -> None:
        super().__init__()
        self.any = bool(rules)
        self._event = event
        self._watcher = watcher
        self._reasons = reasons
        self._rules = [_watched(rule, watcher) for rule in rules]
        self._selectors: dict[str, Selector] = {}

    def of(self, state: str) -> Selector:
        """See `Rules.of`."""
        if state not in self._selectors:
            applying = [rule for rule in self._rules if not rule.in_states or state in rule.in_states]
            self._selectors[state] = _Search(applying, self)
        return self._selectors[state]

    def found(self, rule: Rule | None, context: Asking) -> None:
        """Report the result of a search and the rules passed over; nothing if there were no rules."""
        if not self._rules and self._event != "REQUEST":
            return
        captures = context.captures
        before = self._rules[: next(at for at, each in enumerate(self._rules) if each is rule)] if rule else self._rules
        passed_over = [PassedOver(RuleName(each.name, each.place), self._miss(each, context)) for each in before]
        context.captures = captures  # an explanation of a match that succeeds sets captures
        self._watcher().searched(self._event, context, rule, mark_nearest(passed_over))

    def _miss(self, rule: Rule, context: Asking) -> Mismatch:
        if rule.in_states and context.state not in rule.in_states:
            states = " or ".join(f'"{state}"' for state in rule.in_states)
            return Mismatch(f'is for the state {states}; the connection is in "{context.state}"')
        reason = self._reasons.get(rule.place)
        miss = None if reason is None else reason(context.request, context)
        if miss is not None:
            return miss
        where = "on this connection" if rule.per_connection else "before"
        return Mismatch(f"has matched {rule.most} time{'s' * (rule.most > 1)} {where}, and does not match again")


class _Search(Selector):
    """A selector that reports what it finds."""

    __slots__ = ("_home",)

    def __init__(self, rules: Sequence[Rule], home: WatchedRules) -> None:
        super().__init__(rules)
        self._home = home
        self.look_up = self.known = None  # so that each request is searched for here
        self.at_once = sys.maxsize
        self.remembers = False

    def search(self, request: bytes, context: Asking) -> Rule | None:
        """See `Selector.search`."""
        found = super().search(request, context)
        self._home.found(found, context)
        return found


def _watched(rule: Rule, watcher: Callable[[], Watcher]) -> Rule:
    """Return the same rule, whose steps notify the watcher."""
    steps = _watched_steps(rule.steps, watcher)
    if rule.replies is None:
        return replace(rule, steps=steps)
    replies = replace(rule.replies, of=tuple(_watched_steps(script, watcher) for script in rule.replies.of))
    return replace(rule, steps=steps, replies=replies)


def _watched_steps(steps: Iterable[Step], watcher: Callable[[], Watcher]) -> tuple[Step, ...]:
    return tuple(_watched_step(step, watcher) for step in steps)


def _watched_step(step: Step, watcher: Callable[[], Watcher]) -> Step:
    def take(context: RequestContext) -> Outcome:
        watcher().taking(context)
        outcome = step(context) if callable(step) else step
        watcher().taken(context, outcome)
        return outcome

    return take
