"""`all`: every one of these holds."""

from collections.abc import Iterator

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.combinations import explain_all_of
from answerback.language.captures import Captures, united
from answerback.language.context import Checking, Compiling
from answerback.language.matching.base import (
    MATCHES,
    Listed,
    captures_of,
    check_in_order,
    compile_match,
    explain_match,
)
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("all")
class AllKind(Listed):
    """Every one of these holds."""

    example = "when: {all: [{prefix: A}, {suffix: Z}]}"

    def check(self, given: v1.Match.List, path: str, checking: Checking) -> None:
        """At least one condition, each of them right; what one captures, those behind it may refer to."""
        if not given.of:
            checking.add(path, "an empty list: at least one condition is required")
        check_in_order(given.of, path, checking)

    @override
    def compile(self, given: v1.Match.List, compiling: Compiling) -> matching.Matcher:
        return matching.all_of([compile_match(each, within) for each, within in _in_order(given, compiling)])

    def explain(self, given: v1.Match.List, compiling: Compiling) -> matching.Explainer:
        """Explain with the conditions in it."""
        return explain_all_of([explain_match(each, within) for each, within in _in_order(given, compiling)])

    def captures(self, given: v1.Match.List) -> Captures:
        """The captures of all conditions in it."""
        return united(captures_of(each) for each in given.of)


def _in_order(given: v1.Match.List, compiling: Compiling) -> Iterator[tuple[v1.Match, Compiling]]:
    """Each condition, with what it may refer to."""
    for match in given.of:
        yield match, compiling
        compiling = compiling.knowing(united([compiling.scope.captures, captures_of(match)]))
