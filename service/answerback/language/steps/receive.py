"""`receive`: read one more frame into a variable, and compare it with what is expected."""

from functools import cache

from answerback.compat import override
from answerback.core import patterns, steps
from answerback.core.expectation import Expectation
from answerback.core.matching import Explainer
from answerback.language.captures import Captures
from answerback.language.context import Checking, Compiling
from answerback.language.expressions import FramingField, Type
from answerback.language.fields import Field, Where, describe
from answerback.language.framing import check_framing, compile_framing, provided_by
from answerback.language.matching import captures_of, check_behind, compile_match, explain_match
from answerback.language.steps.base import STEPS, StepKind, check_variable_name
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Step.Receive,
    Where.RULE,
    framing=Field('do: [receive: {framing: {fixed: {size_from: "int(request)"}}, into: body}]'),
    into=Field(
        "do: [receive: {framing: line, into: rest}]", default="the frame is not stored", words="a name as in `set`"
    ),
    expect=Field(
        """do: [receive: {framing: line, expect: {regex: '^[a-z]+$'}}]""",
        default="any frame",
    ),
)


@STEPS.kind("receive")
class ReceiveKind(StepKind):
    """Read one more frame into a variable, and compare it with what is expected."""

    fields = FIELDS
    example = "do: [receive: {framing: line, into: rest}]"
    reads = True
    not_for_replies = "the client's next frame may be a request; use it in the rule that forwards"

    def check(self, given: v1.Step.Receive, path: str, checking: Checking) -> None:
        """Check the framing and the name."""
        if given.HasField("framing"):
            check_framing(given.framing, f"{path}.framing", checking)
        check_variable_name(given.into, f"{path}.into", checking)
        if given.HasField("expect"):
            check_behind(given.expect, f"{path}.expect", checking.of_frame(_fields(given)))

    def compile(self, given: v1.Step.Receive, compiling: Compiling) -> steps.Step:
        """Make the step; a size may be settled when it runs."""
        expect = None
        if given.HasField("expect"):
            expect = self._expectation(given.expect, compiling.of_frame(_fields(given)))
        if given.framing.fixed.WhichOneof("bytes") == "size_from":
            size = compiling.expression(given.framing.fixed.size_from, Type.INT).of
            return steps.receive_of_size(size, given.into, expect)
        return steps.receive(compile_framing(given.framing, compiling), given.into, expect)

    def _expectation(self, match: v1.Match, compiling: Compiling) -> Expectation:
        """Make what the frame must be. The explanation is compiled when it is needed."""

        @cache
        def explainer() -> Explainer:
            with patterns.compiling(patterns.Compiler(patterns.LEAST_MEMORY)):
                return explain_match(match, compiling)

        return Expectation(compiling.scope.rule, compiling.unexpected_cell, compile_match(match, compiling), explainer)

    @override
    def expects(self, given: v1.Step.Receive) -> bool:
        return given.HasField("expect")

    def captures(self, given: v1.Step.Receive) -> Captures:
        """The captures of the condition."""
        return captures_of(given.expect)


def _fields(given: v1.Step.Receive) -> dict[str, FramingField]:
    """The names that the framing of the frame provides."""
    return {field.name: field for field in provided_by(given.framing)}
