"""`any`: at least one of these holds."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.combinations import explain_any_of
from answerback.language.captures import Captures, united
from answerback.language.context import Compiling
from answerback.language.matching.base import MATCHES, Listed, captures_of, compile_match, explain_match
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("any")
class AnyKind(Listed):
    """At least one of these holds."""

    example = "when: {any: [PING, ping]}"

    @override
    def compile(self, given: v1.Match.List, compiling: Compiling) -> matching.Matcher:
        return matching.any_of([compile_match(each, compiling) for each in given.of])

    def explain(self, given: v1.Match.List, compiling: Compiling) -> matching.Explainer:
        """Explain with the conditions in it."""
        return explain_any_of([explain_match(each, compiling) for each in given.of])

    def captures(self, given: v1.Match.List) -> Captures:
        """The captures of all conditions in it."""
        return united(captures_of(each) for each in given.of)
