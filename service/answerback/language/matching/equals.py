"""`equals`: the request is these bytes."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.literals import explain_equals
from answerback.language.context import Compiling
from answerback.language.matching.base import MATCHES, Literal
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("equals")
class EqualsKind(Literal):
    """The request is these bytes."""

    example = "when: {equals: {hex: 00 00 00 08}}"

    @override
    def compile(self, given: v1.Literal, compiling: Compiling) -> matching.Matcher:
        return matching.equals(compiling.literal(given), given.ignore_case)

    def explain(self, given: v1.Literal, compiling: Compiling) -> matching.Explainer:
        """Name the first byte that differs."""
        return explain_equals(compiling.literal(given), given.ignore_case)

    def exact(self, given: v1.Literal, compiling: Compiling) -> bytes | None:
        """The bytes, if their case counts."""
        return None if given.ignore_case else compiling.literal(given)
