"""`all`: every one of these holds."""

from answerback.core import matching
from answerback.core.matching.combinations import explain_all_of
from answerback.language.captures import Captures, united
from answerback.language.context import Compiling
from answerback.language.matching.base import MATCHES, Listed, captures_of, compile_match, explain_match
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("all")
class AllKind(Listed):
    """Every one of these holds."""

    example = "when: {all: [{prefix: A}, {suffix: Z}]}"

    def compile(self, given: v1.Match.List, compiling: Compiling) -> matching.Matcher:
        """Make the match."""
        return matching.all_of([compile_match(each, compiling) for each in given.of])

    def explain(self, given: v1.Match.List, compiling: Compiling) -> matching.Explainer:
        """Explain with the conditions in it."""
        return explain_all_of([explain_match(each, compiling) for each in given.of])

    def captures(self, given: v1.Match.List) -> Captures:
        """Those of all conditions in it."""
        return united(captures_of(each) for each in given.of)
