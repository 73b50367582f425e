"""A session that is watched: which rule it finds and why not an earlier one, which steps it takes, what it leaves."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from answerback.core.actions import Action, CloseReason
from answerback.core.ending import CLOSING, HALF_CLOSED
from answerback.core.matching import Miss, Reason
from answerback.core.plan import Asked as Asking
from answerback.core.plan import Rule, Rules, Selector
from answerback.core.session import Session
from answerback.core.steps import Outcome, Step
from answerback.core.turn import Turn
from answerback.explain.events import PassedOver, RuleName, mark_nearest

# Rule: the one way in is to be asked for a rule, or for a step, in the place of the real one, which then decides.


class Watcher(Protocol):
    """What wants to know."""

    def sending(self, actions: list[Action]) -> None:
        """A script is about to be played: what it does is appended to these."""

    def searched(self, event: str, turn: Asking, rule: Rule | None, passed_over: Sequence[PassedOver]) -> None:
        """A rule was looked for."""

    def taking(self, turn: Turn) -> None:
        """A step is about to be taken."""

    def taken(self, turn: Turn, outcome: Outcome) -> None:
        """It was."""

    def kept(self) -> None:
        """The requests that were found are no longer in the buffer."""

    def ending(self, reason: CloseReason, buffer: bytes) -> None:
        """The peer is about to be heard no more; these bytes were, since the last requests that were done with."""


class Watched(Session):
    """A session that tells its watcher."""

    __slots__ = ("watcher",)

    watcher: Watcher

    @property
    def buffer(self) -> bytes:
        """What was heard since the last requests that were done with."""
        return bytes(self._buffer)

    @property
    def half_closed(self) -> bool:
        """Whether our FIN was sent, and the peer may go on."""
        return self._phase == HALF_CLOSED

    @property
    def closing(self) -> bool:
        """Whether our FIN was sent, and nothing but the peer's is waited for."""
        return self._phase >= CLOSING and not self.over

    @property
    def in_progress(self) -> bool:
        """Whether something will happen if the peer says nothing more, beside the end of its patience."""
        silence = self._framing is not None and self._framing.gap < float("inf") and self._buffer
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
    """The rules on one event. `reasons` says of each, by its place, why its match does not hold."""

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

    def found(self, rule: Rule | None, turn: Asking) -> None:
        """Tell what a search has found, and what it has passed over; nothing where there was nothing to search."""
        if not self._rules and self._event != "REQUEST":
            return
        captures = turn.captures
        before = self._rules[: next(at for at, each in enumerate(self._rules) if each is rule)] if rule else self._rules
        passed_over = [PassedOver(RuleName(each.name, each.place), self._miss(each, turn)) for each in before]
        turn.captures = captures  # a reason that is none has made some
        self._watcher().searched(self._event, turn, rule, mark_nearest(passed_over))

    def _miss(self, rule: Rule, turn: Asking) -> Miss:
        if rule.in_states and turn.state not in rule.in_states:
            states = " or ".join(f'"{state}"' for state in rule.in_states)
            return Miss(f'is for the state {states}; the connection is in "{turn.state}"')
        reason = self._reasons.get(rule.place)
        miss = None if reason is None else reason(turn.request, turn)
        if miss is not None:
            return miss
        where = "on this connection" if rule.per_connection else "before"
        return Miss(f"has matched {rule.most} time{'s' * (rule.most > 1)} {where}, and does no more")


class _Search(Selector):
    """Finds what a selector finds, and tells."""

    __slots__ = ("_home",)

    def __init__(self, rules: Sequence[Rule], home: WatchedRules) -> None:
        super().__init__(rules)
        self._home = home
        self.look_up = self.known = None  # so that each request comes by here
        self.at_once = sys.maxsize
        self.remembers = False

    def search(self, request: bytes, turn: Asking) -> Rule | None:
        """See `Selector.search`."""
        found = super().search(request, turn)
        self._home.found(found, turn)
        return found


def _watched(rule: Rule, watcher: Callable[[], Watcher]) -> Rule:
    """The same rule; its steps tell the watcher that they are taken."""
    steps = _watched_steps(rule.steps, watcher)
    if rule.replies is None:
        return replace(rule, steps=steps)
    replies = replace(rule.replies, of=tuple(_watched_steps(script, watcher) for script in rule.replies.of))
    return replace(rule, steps=steps, replies=replies)


def _watched_steps(steps: Iterable[Step], watcher: Callable[[], Watcher]) -> tuple[Step, ...]:
    return tuple(_watched_step(step, watcher) for step in steps)


def _watched_step(step: Step, watcher: Callable[[], Watcher]) -> Step:
    def take(turn: Turn) -> Outcome:
        watcher().taking(turn)
        outcome = step(turn) if callable(step) else step
        watcher().taken(turn, outcome)
        return outcome

    return take
