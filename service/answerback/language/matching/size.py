"""`size`: the number of bytes of the request."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.numbers import explain_size
from answerback.language.context import Checking, Compiling
from answerback.language.matching.base import MATCHES, MatchKind, check_range, ends
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("size")
class SizeKind(MatchKind):
    """The number of bytes of the request is in a range."""

    example = "when: {size: {min: 100}}"

    def check(self, given: v1.Match.Range, path: str, checking: Checking) -> None:
        """A range with something in it."""
        check_range(given, path, checking)

    @override
    def compile(self, given: v1.Match.Range, compiling: Compiling) -> matching.Matcher:
        return matching.size(*ends(given))

    def explain(self, given: v1.Match.Range, compiling: Compiling) -> matching.Explainer:  # noqa: ARG002 - it has no bytes
        """Name the size that it has."""
        return explain_size(*ends(given))
