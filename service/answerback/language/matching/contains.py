"""`contains`: these bytes stand somewhere in the request."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.literals import explain_contains
from answerback.language.context import Compiling
from answerback.language.matching.base import MATCHES, Literal
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("contains")
class ContainsKind(Literal):
    """The request contains these bytes."""

    example = "when: {contains: {text: error, ignore_case: true}}"

    @override
    def compile(self, given: v1.Literal, compiling: Compiling) -> matching.Matcher:
        return matching.contains(compiling.literal(given), given.ignore_case)

    def explain(self, given: v1.Literal, compiling: Compiling) -> matching.Explainer:
        """Name the first byte that differs."""
        return explain_contains(compiling.literal(given), given.ignore_case)

    def takes_all(self, given: v1.Literal) -> bool:
        """No bytes are in every request."""
        return bool(given == v1.Literal(text=""))
