"""The base of the kinds of delay."""

from abc import abstractmethod
from typing import Any

from answerback.core.delays import Delay
from answerback.language.context import Checking
from answerback.language.fields import Where
from answerback.language.payloads import says_nothing
from answerback.language.problems import step_into
from answerback.language.registry import Family, Kind
from answerback.v1 import config_pb2 as v1


class DelayKind(Kind):
    """A distribution of times to wait."""

    @abstractmethod
    def compile(self, given: Any) -> Delay:
        """Make the delay of a checked value."""


DELAYS: Family[DelayKind] = Family(v1.Delay, "delay", Where.RULE)


def check_delay(given: v1.Delay, path: str, checking: Checking) -> None:
    """Report what is wrong with a delay."""
    kind = DELAYS.of(given)
    if kind is None:
        checking.add(path, says_nothing(given))
    else:
        kind.check(getattr(given, kind.name), step_into(path, kind.name), checking)


def compile_delay(given: v1.Delay) -> Delay:
    """Make a core delay. Raises ValueError for what `check_delay` would have reported."""
    kind, value = DELAYS.chosen(given)
    return kind.compile(value)
