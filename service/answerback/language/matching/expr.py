"""`expr`: an expression is true."""

from answerback.core import matching
from answerback.core.matching.expression import Condition, explain_expression, slice_equals
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import ExpressionError, Scope, Type, comparison_in, compile_expression, sides_of
from answerback.language.matching.base import MATCHES, MatchKind


@MATCHES.kind("expr")
class ExprKind(MatchKind):
    """An expression is true."""

    words = "an [expression](expressions.md), a bool"
    needs_request = False
    example = """when: {expr: "len(request) > 4 and be(request[0:2]) == len(request)"}"""

    def check(self, given: str, path: str, checking: Checking) -> None:
        """Check the expression and its type."""
        checking.expression(given, Type.BOOL, path)

    def compile(self, given: str, compiling: Compiling) -> matching.Matcher:
        """Make the match; one that only compares the request with a literal needs no context."""
        found = comparison_in(given, compiling.scope)
        if found is None:
            return matching.expression(self._condition(given, compiling))
        return slice_equals(found.part or slice(None), found.literal, negated=found.negated)

    def explain(self, given: str, compiling: Compiling) -> matching.Explainer:
        """Name the values that are compared."""
        return explain_expression(self._condition(given, compiling))

    def _condition(self, given: str, compiling: Compiling) -> Condition:
        return Condition(compiling.expression(given, Type.BOOL), given, sides_of(given, compiling.scope))

    def takes_all(self, given: str) -> bool:
        """A constant that is true needs no names."""
        try:
            return compile_expression(given, Type.BOOL, Scope()).constant is True
        except ExpressionError:
            return False

    def exact(self, given: str, compiling: Compiling) -> bytes | None:
        """The literal, if the request is compared with it."""
        found = comparison_in(given, compiling.scope)
        return found.literal if found is not None and found.part is None and not found.negated else None
