"""`request_number`: it is the connection's first request (1), its second, and so on."""

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.numbers import explain_request_number
from answerback.language.context import Checking, Compiling
from answerback.language.matching.base import MATCHES, MatchKind, check_range, ends
from answerback.v1 import config_pb2 as v1


@MATCHES.kind("request_number")
class RequestNumberKind(MatchKind):
    """It is the connection's first request (1), its second, and so on."""

    example = "when: {request_number: {max: 1}}"

    def check(self, given: v1.Match.Range, path: str, checking: Checking) -> None:
        """A range with something in it; requests are numbered from 1."""
        check_range(given, path, checking)
        if given.HasField("max") and not given.max:
            checking.add(f"{path}.max", "must be at least 1, not 0: requests are numbered from there")

    @override
    def compile(self, given: v1.Match.Range, compiling: Compiling) -> matching.Matcher:
        return matching.request_number(*ends(given))

    def explain(self, given: v1.Match.Range, compiling: Compiling) -> matching.Explainer:  # noqa: ARG002 - it has no bytes
        """Name the number that it has."""
        return explain_request_number(*ends(given))
