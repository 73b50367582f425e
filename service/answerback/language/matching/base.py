"""The base of the kinds of match."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from answerback.core.matching import Explainer, Matcher
from answerback.language.captures import NONE, Captures, united
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.payloads import says_nothing
from answerback.language.problems import quoted, step_into
from answerback.language.registry import Family, Kind
from answerback.v1 import config_pb2 as v1

MAX_CONDITIONS: Final = 32  # in one another: protobuf takes 100 messages deep, and each of these may be two


class MatchKind(Kind):
    """A condition on a request or its connection."""

    needs_request: ClassVar[bool] = True
    """Whether it cannot be asked where there is no request."""

    @abstractmethod
    def compile(self, given: Any, compiling: Compiling) -> Matcher:
        """Make the match of a checked value. Raises ValueError."""

    @abstractmethod
    def explain(self, given: Any, compiling: Compiling) -> Explainer:
        """Make what says why the match does not hold. Raises ValueError."""

    def takes_all(self, given: Any) -> bool:  # noqa: ARG002 - most do not, whatever is given
        """Whether it holds for every request."""
        return False

    def exact(self, given: Any, compiling: Compiling) -> bytes | None:  # noqa: ARG002 - most are something else
        """The bytes that a request must be equal to, if that is all there is to it: such rules are looked up."""
        return None

    def pattern(self, given: Any) -> str | None:  # noqa: ARG002 - most are something else
        """The pattern, if that is all there is to it: such rules are searched for together."""
        return None

    def captures(self, given: Any) -> Captures:  # noqa: ARG002 - most capture nothing
        """The captures of its patterns, for the expressions of the rule."""
        return NONE


MATCHES: Family[MatchKind] = Family(v1.Match, "condition", Where.RULE)


def check_match(match: v1.Match, path: str, checking: Checking) -> None:
    """Report what is wrong with a condition, and with those in it."""
    kind = MATCHES.of(match)
    if checking.depth > MAX_CONDITIONS:
        checking.add(path, f"conditions can be nested at most {MAX_CONDITIONS} deep")
    elif kind is None:
        checking.add(path, says_nothing(match))
    elif checking.scope.event is not None and kind.needs_request:
        at = step_into(path, kind.name)
        checking.add(at, f"{checking.scope.event} has no request; only peer and expr can be matched")
    else:
        kind.check(getattr(match, kind.name), step_into(path, kind.name), checking)


def compile_match(match: v1.Match, compiling: Compiling) -> Matcher:
    """Make a core match. Raises ValueError for what `check_match` would have reported."""
    kind, given = MATCHES.chosen(match)
    return kind.compile(given, compiling)


def explain_match(match: v1.Match, compiling: Compiling) -> Explainer:
    """Make what says why a core match does not hold. Raises ValueError."""
    kind, given = MATCHES.chosen(match)
    return kind.explain(given, compiling)


def captures_of(match: v1.Match) -> Captures:
    """The captures that expressions of a rule with this condition may use; any, if RE2 rejects one of its patterns."""
    kind = MATCHES.of(match)
    return NONE if kind is None else kind.captures(getattr(match, kind.name))


def check_in_order(matches: Iterable[v1.Match], path: str, checking: Checking) -> None:
    """Check conditions of which all must hold: what one captures, those behind it may refer to."""
    for index, match in enumerate(matches):
        check_behind(match, f"{path}.of[{index}]", checking.deeper())
        checking = checking.knowing(united([checking.scope.captures, captures_of(match)]))


def check_behind(match: v1.Match, path: str, checking: Checking) -> None:
    """Check a condition behind others, whose captures are known: it names its own differently."""
    check_match(match, path, checking)
    for name in sorted(captures_of(match).names & checking.scope.captures.names):
        checking.add(path, f"a group is named {quoted(name)} in a condition before it; give it another name")


def takes_all(match: v1.Match) -> bool:
    """Whether a condition holds for every request."""
    kind = MATCHES.of(match)
    return kind is not None and kind.takes_all(getattr(match, kind.name))


class Listed(MatchKind):
    """A condition made of a list of others, which may be asked wherever all of those may."""

    needs_request = False

    def check(self, given: v1.Match.List, path: str, checking: Checking) -> None:
        """At least one condition, each of them right."""
        if not given.of:
            checking.add(path, "an empty list: at least one condition is required")
        for index, match in enumerate(given.of):
            check_match(match, f"{path}.of[{index}]", checking.deeper())


class Literal(MatchKind):
    """A condition on bytes as they stand."""

    def check(self, given: v1.Literal, path: str, checking: Checking) -> None:
        """Bytes that can be known."""
        checking.content(given, path)


def check_range(given: v1.Match.Range, path: str, checking: Checking) -> None:
    """Check that a range says something, and that something can be in it."""
    low, high = given.HasField("min"), given.HasField("max")
    if not low and not high:
        checking.add(path, "empty: set min or max")
    elif low and high and given.min > given.max:
        checking.add(path, f"never holds: min, {given.min}, is more than max, {given.max}")


def ends(given: v1.Match.Range) -> tuple[int, int | None]:
    """The least and the most of a range; None if it has no most."""
    return given.min, given.max if given.HasField("max") else None


LIST = describe(v1.Match.List, Where.RULE, of=Field("when: {any: {of: [a, b]}}", default="none", words="at least one"))
RANGE = describe(
    v1.Match.Range,
    Where.RULE,
    min=Field("when: {size: {min: 1, max: 64}}", default="`0`"),
    max=Field("when: {request_number: {max: 3}}", default="no limit", words="at least `min`"),
)
