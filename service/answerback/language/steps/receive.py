"""`receive`: read one more frame into a variable."""

from answerback.core import steps
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import Type
from answerback.language.fields import Field, Where, describe
from answerback.language.framing import check_framing, compile_framing
from answerback.language.steps.base import STEPS, StepKind, check_variable_name
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Receive,
    Where.RULE,
    framing=Field('do: [receive: {framing: {fixed: {size_from: "int(request)"}}, into: body}]'),
    into=Field("do: [receive: {framing: line, into: rest}]", words="a name as in `set`"),
)


@STEPS.kind("receive")
class ReceiveKind(StepKind):
    """Read one more frame into a variable."""

    fields = FIELDS
    example = "do: [receive: {framing: line, into: rest}]"
    reads = True

    def check(self, given: v1.Step.Receive, path: str, checking: Checking) -> None:
        """Check the framing and the name."""
        if given.HasField("framing"):
            check_framing(given.framing, f"{path}.framing", checking)
        check_variable_name(given.into, f"{path}.into", checking)

    def compile(self, given: v1.Step.Receive, compiling: Compiling) -> steps.Step:
        """Make the step; a size may be settled when it runs."""
        if given.framing.fixed.WhichOneof("bytes") == "size_from":
            size = compiling.expression(given.framing.fixed.size_from, Type.INT).of
            return steps.receive_of_size(size, given.into)
        return steps.receive(compile_framing(given.framing, compiling), given.into)
