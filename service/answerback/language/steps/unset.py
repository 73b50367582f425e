"""`unset`: remove a variable, of this connection or of all."""

from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.fields import Field, Where, describe
from answerback.language.steps.base import STEPS, StepKind
from answerback.language.steps.variables import KEY_WORDS, check_variable, shared_key
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Unset,
    Where.RULE,
    name=Field("do: [unset: user]", words="a name as in `set`"),
    shared=Field("""do: [unset: {shared: "'greeting'"}]""", words=KEY_WORDS),
)


@STEPS.kind("unset")
class UnsetKind(StepKind):
    """Remove a variable of this connection, or one that all share."""

    fields = FIELDS
    example = "do: [unset: user]"

    def check(self, given: v1.Step.Unset, path: str, checking: Checking) -> None:
        """Check the variable."""
        check_variable(given, path, checking)

    def compile(self, given: v1.Step.Unset, compiling: Compiling) -> steps.Step:
        """Make the step."""
        if given.WhichOneof("variable") == "shared":
            return steps.delete_shared(shared_key(given.shared, compiling))
        return steps.unset_variable(given.name)
