"""`set`: keep bytes under a name, for expressions of this connection."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.steps.base import STEPS, StepKind, check_variable_name
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Set,
    Where.RULE,
    name=Field(
        "do: [set: {name: user, value: ada}]", words="letters, digits, `_`, `-`, the first not a digit, at most 128"
    ),
    value=Field('do: [set: {name: id, value: {template: "${request[0:2]}"}}]'),
)


@STEPS.kind("set")
class SetKind(StepKind):
    """Keep bytes under a name, for expressions of this connection."""

    fields = FIELDS
    example = 'do: [set: {name: last, value: {template: "${request}"}}]'

    def check(self, given: v1.Step.Set, path: str, checking: Checking) -> None:
        """Check the name and the bytes."""
        check_variable_name(given.name, f"{path}.name", checking)
        if given.HasField("value"):
            checking.content(given.value, f"{path}.value")

    @override
    def compile(self, given: v1.Step.Set, compiling: Compiling) -> steps.Step:
        return steps.set_variable(given.name, compiling.content(given.value))
