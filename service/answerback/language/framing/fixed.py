"""`fixed`: a request has a fixed number of bytes."""

from answerback.core.framing import Fixed, Framing
from answerback.language import bounds
from answerback.language.context import Checking, Compiling, Linting
from answerback.language.expressions import Type
from answerback.language.fields import Field, Number, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.language.payloads import says_nothing
from answerback.v1 import config_pb2 as v1

FIELDS = describe(
    v1.Framing.Fixed,
    Where.RULE,
    size=Number("do: [framing: {fixed: {size: 16}}]", least=1, most=bounds.MAX_REQUEST_BYTES, unit="bytes"),
    size_from=Field(
        'do: [framing: {fixed: {size_from: "be(request[2:4])"}}]',
        words="an [expression](expressions.md), an int; only in steps",
    ),
)


@FRAMINGS.kind("fixed")
class FixedKind(FramingKind):
    """A request has a fixed number of bytes."""

    runtime = Fixed
    fields = FIELDS
    example = "framing: {fixed: {size: 4}}"

    def check(self, given: v1.Framing.Fixed, path: str, checking: Checking) -> None:
        """A size within bounds, or, in a step, a template for one."""
        FIELDS.check(given, path, checking)
        kind = given.WhichOneof("bytes")
        if kind is None:
            checking.add(path, says_nothing(given))
        elif kind == "size_from" and checking.in_step:
            _check_size(given.size_from, f"{path}.size_from", checking)
        elif kind == "size_from":
            checking.add(
                f"{path}.size_from",
                "is settled when a step runs: a listener's own framing has a size; use it in framing or receive",
            )

    def compile(self, given: v1.Framing.Fixed, compiling: Compiling) -> Framing:  # noqa: ARG002 - it has no bytes
        """Make the framing. Raises ValueError for a size that is settled when a step runs."""
        if given.WhichOneof("bytes") == "size_from":
            raise ValueError("a size that is settled when a step runs is no listener's own")
        return Fixed(given.size)

    def describe(self, framing: Fixed) -> str:
        """With its size."""
        return f"fixed, {framing.size} bytes"

    def lint(self, given: v1.Framing.Fixed, path: str, linting: Linting) -> None:
        """A size that no request can have."""
        if given.size > linting.limits.max_request_bytes:
            linting.add(f"{path}.size", "more than max_request_bytes: every request closes the connection")


def _check_size(text: str, path: str, checking: Checking) -> None:
    """An int, which can be a size if it is known already."""
    value = checking.expression(text, Type.INT, path)
    if value is not None and value.constant is not None:
        checking.between(int(value.constant), 0, bounds.MAX_REQUEST_BYTES, path)
