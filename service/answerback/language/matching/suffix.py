"""`suffix`: the request ends with these bytes."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.literals import explain_suffix
from answerback.language.context import Compiling
from answerback.language.matching.base import MATCHES, Literal
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("suffix")
class SuffixKind(Literal):
    """The request ends with these bytes."""

    example = "when: {suffix: .html}"

    @override
    def compile(self, given: v1.Literal, compiling: Compiling) -> matching.Matcher:
        return matching.suffix(compiling.literal(given), given.ignore_case)

    def explain(self, given: v1.Literal, compiling: Compiling) -> matching.Explainer:
        """Name the first byte that differs."""
        return explain_suffix(compiling.literal(given), given.ignore_case)

    def takes_all(self, given: v1.Literal) -> bool:
        """No bytes are in every request."""
        return bool(given == v1.Literal(text=""))
