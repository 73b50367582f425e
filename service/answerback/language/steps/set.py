"""`set`: store bytes in a variable, of this connection or of all."""

from answerback.compat import override
from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.steps.base import STEPS, StepKind
from answerback.language.steps.variables import KEY_WORDS, check_variable, shared_key
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Set,
    Where.RULE,
    name=Field(
        "do: [set: {name: user, value: ada}]", words="letters, digits, `_`, `-`, the first not a digit, at most 128"
    ),
    shared=Field("""do: [set: {shared: "'greeting'", value: hello}]""", words=KEY_WORDS),
    value=Field('do: [set: {name: id, value: {template: "${request[0:2]}"}}]'),
)


@STEPS.kind("set")
class SetKind(StepKind):
    """Store bytes in a variable of this connection, or in one that all share."""

    fields = FIELDS
    example = 'do: [set: {name: last, value: {template: "${request}"}}]'

    def check(self, given: v1.Step.Set, path: str, checking: Checking) -> None:
        """Check the variable and the bytes."""
        check_variable(given, path, checking)
        if given.HasField("value"):
            checking.content(given.value, f"{path}.value")

    @override
    def compile(self, given: v1.Step.Set, compiling: Compiling) -> steps.Step:
        value = compiling.content(given.value)
        if given.WhichOneof("variable") == "shared":
            return steps.put_shared(shared_key(given.shared, compiling), value)
        return steps.set_variable(given.name, value)
