"""`regex`: an RE2 pattern matches somewhere in the request."""

from collections.abc import Iterator

from answerback.compat import override
from answerback.core import matching
from answerback.core.matching.regexes import explain_regex
from answerback.language.captures import UNKNOWN, Captures, captures_in, twice_named
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import is_reserved
from answerback.language.matching.base import MATCHES, MatchKind
from answerback.language.problems import quoted
from answerback.language.registry import Text


@MATCHES.kind("regex")
class RegexKind(MatchKind):
    """An RE2 pattern matches somewhere in the request."""

    words = "RE2, of 4,000 instructions at most, see [patterns](patterns.md)"
    example = r"when: {regex: '(?i)^EHLO \S+$'}"

    def check(self, given: str, path: str, checking: Checking) -> None:
        """A pattern that RE2 takes, with names for its groups that expressions can tell apart."""
        captures = captures_in(given) if checking.pattern(given, path) else None
        if captures is None:
            return
        for name in twice_named(given):
            checking.add(path, f"more than one group is named {quoted(name)}")
        for name in sorted(captures.names):
            if is_reserved(name):
                checking.add(path, f"a group cannot be named {quoted(name)}: expressions use this name")

    @override
    def compile(self, given: str, compiling: Compiling) -> matching.Matcher:
        return matching.regex(given)

    def explain(self, given: str, compiling: Compiling) -> matching.Explainer:  # noqa: ARG002 - it has no bytes
        """Say whether only the case of letters differs."""
        return explain_regex(given)

    def takes_all(self, given: str) -> bool:
        """An empty pattern is found in every request."""
        return not given

    def pattern(self, given: str) -> str:
        """The pattern itself."""
        return given

    def captures(self, given: str) -> Captures:
        """Its groups; anything, if RE2 refuses it."""
        return captures_in(given) or UNKNOWN

    def texts(self, given: str, path: str) -> Iterator[Text]:
        """The pattern."""
        yield Text(path, given, r"write \x{} in the pattern")
