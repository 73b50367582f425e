"""`read`: each read of the socket is a request."""

from typing import Final

from answerback.compat import override
from answerback.core.framing import Framing, Read
from answerback.language import bounds
from answerback.language.context import Compiling, Linting
from answerback.language.fields import Number, Where, describe
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1

DEFAULT_READ_BYTES: Final = 1024  # both of the original servers took that much for a request


FIELDS = describe(
    v1.Framing.Read,
    Where.LISTENER,
    max_bytes=Number(
        "framing: {read: {max_bytes: 65536}}", default="`1024` bytes", least=1, most=bounds.MAX_READ_BYTES, unit="bytes"
    ),
)


@FRAMINGS.kind("read")
class ReadKind(FramingKind):
    """Each read of the socket is a request."""

    runtime = Read
    fields = FIELDS
    example = "framing: {read: {max_bytes: 512}}"

    @override
    def compile(self, given: v1.Framing.Read, compiling: Compiling) -> Framing:
        return Read(given.max_bytes if given.HasField("max_bytes") else DEFAULT_READ_BYTES)

    def describe(self, framing: Read) -> str:
        """Its bound."""
        return f"read, at most {framing.max_bytes} bytes"

    def lint(self, given: v1.Framing.Read, path: str, linting: Linting) -> None:  # noqa: ARG002 - said of the limit
        """A read that is longer than a request may be."""
        read_bytes = given.max_bytes or DEFAULT_READ_BYTES
        if read_bytes > linting.limits.max_request_bytes:
            linting.add(
                f"{linting.path}.limits.max_request_bytes",
                f"less than one read of up to {read_bytes} bytes: longer reads close the connection",
            )
