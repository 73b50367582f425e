"""`not`: this does not hold."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.combinations import explain_none_of
from answerback.language.context import Checking, Compiling
from answerback.language.matching.base import MATCHES, MatchKind, check_match, compile_match, explain_match
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("not")
class NotKind(MatchKind):
    """This does not hold."""

    needs_request = False
    example = 'when: {not: {prefix: "#"}}'

    def check(self, given: v1.Match, path: str, checking: Checking) -> None:
        """Check the condition in it."""
        check_match(given, path, checking.deeper())

    @override
    def compile(self, given: v1.Match, compiling: Compiling) -> matching.Matcher:
        return matching.none_of(compile_match(given, compiling))

    def explain(self, given: v1.Match, compiling: Compiling) -> matching.Explainer:
        """Say that it matches."""
        return explain_none_of(explain_match(given, compiling))
