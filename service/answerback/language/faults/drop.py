"""`drop`: replies are not sent."""

from answerback.compat import override
from answerback.core import faults
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("drop")
class DropKind(FaultKind):
    """Replies are not sent."""

    example = "faults: [drop]"
    needs_bytes = True

    @override
    def compile(self, given: v1.Fault.Drop) -> faults.Effect:
        return faults.Drop()

    def leaves_no_bytes(self, given: v1.Fault.Drop) -> bool:  # noqa: ARG002 - it has no fields
        """It sends none."""
        return True
