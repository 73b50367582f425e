"""`add`: add to a number that all connections share."""

from answerback.core import steps
from answerback.core.expressions import Type
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.steps.base import STEPS, StepKind, check_variable_name
from answerback.language.steps.variables import KEY_WORDS, check_key, shared_key
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Add,
    Where.RULE,
    shared=Field("""do: [add: {shared: "'visits'"}]""", words=KEY_WORDS),
    by=Field(
        """do: [add: {shared: "'bytes'", by: len(request)}]""",
        default="`1`",
        words="an [expression](expressions.md), an int; the sum is -2^63 to 2^64 - 1",
    ),
    into=Field("""do: [add: {shared: "'visits'", into: visits}]""", words="a name as in `set`"),
)
ONE = "1"


@STEPS.kind("add")
class AddKind(StepKind):
    """Add to a number that all connections share."""

    fields = FIELDS
    example = """do: [add: {shared: "'visits'", into: visits}, send: {template: "visit ${vars.visits}"}]"""

    def check(self, given: v1.Step.Add, path: str, checking: Checking) -> None:
        """Check the key, the number and the name."""
        if given.shared:
            check_key(given.shared, f"{path}.shared", checking)
        if given.by:
            checking.expression(given.by, Type.INT, f"{path}.by")
        check_variable_name(given.into, f"{path}.into", checking)

    def compile(self, given: v1.Step.Add, compiling: Compiling) -> steps.Step:
        """Make the step."""
        by = compiling.expression(given.by or ONE, Type.INT)
        return steps.add_shared(shared_key(given.shared, compiling), by, given.into)
