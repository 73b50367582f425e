"""What the kinds of fault share, and the parts of a fault that are the same for all of them."""

from abc import abstractmethod
from typing import Any, ClassVar

from answerback.core import faults
from answerback.language import bounds, durations
from answerback.language.context import Checking, Linting
from answerback.language.fields import Field, Time, Where, describe
from answerback.language.payloads import says_nothing
from answerback.language.problems import step_into
from answerback.language.registry import Family, Kind
from answerback.v1 import config_pb2 as v1


class FaultKind(Kind):
    """A way to misbehave."""

    needs_bytes: ClassVar[bool] = False
    """Whether it applies only to replies that send something."""

    @abstractmethod
    def compile(self, given: Any) -> faults.Effect:
        """Make the effect of a checked value."""

    def leaves_no_bytes(self, given: Any) -> bool:  # noqa: ARG002 - most leave some, whatever is given
        """Whether nothing of a reply is sent that it applies to."""
        return False

    def never_applies(self, fault: v1.Fault) -> str | None:  # noqa: ARG002 - most apply
        """Why a fault of this kind never applies; None if it may."""
        return None


FAULTS: Family[FaultKind] = Family(v1.Fault, "fault", Where.LISTENER)

FIELDS = describe(
    v1.Fault,
    Where.LISTENER,
    name=Field(
        "faults: [{name: lossy, drop: {}}]",
        default="`faults[N]`",
        words="at most 128 printable characters; unique in its listener",
    ),
    probability=Field(
        "faults: [{probability: 0.01, reset: {}}]",
        default="`1`",
        words="0 to 1; 0 disables the fault",
    ),
    target=Field("faults: [{target: CONNECTION, probability: 0.1, hang: {}}]", default="`REPLY`"),
    skip=Field("faults: [{skip: 100, truncate: {bytes: 3}}]", default="`0` replies"),
    times=Field("faults: [{times: 2, reset: {}}]", default="`0`: no limit"),
    per=Time(
        "faults: [{times: 2, per: 10s, reset: {}}]",
        default="no window",
        zero="must be more than 0: the window in which applications are counted",
        words="only with `times`",
    ),
    every=Field("faults: [{every: 10, latency: 1s}]", default="`1`", words="0 is the same as 1"),
)


def fault_key(fault: v1.Fault, index: int) -> str:
    """What a fault is counted under: its name, or its place among the listener's faults."""
    return fault.name or f"faults[{index}]"


def check_fault(given: v1.Fault, path: str, checking: Checking) -> None:
    """Report what is wrong with a fault, but for its name."""
    bounds.enum(v1.Fault.Target.DESCRIPTOR, given.target, f"{path}.target", checking.problems)
    if not 0 <= (given.probability if given.HasField("probability") else 1) <= 1:  # NaN is neither
        checking.add(f"{path}.probability", f"must be 0 to 1, not {given.probability:g}")
    if given.HasField("per"):
        FIELDS.fields["per"].check(given.per, f"{path}.per", checking)
        if not given.times:
            checking.add(f"{path}.per", "only with `times`: it is what is counted in each window")
    kind = FAULTS.of(given)
    if kind is None:
        checking.add(path, says_nothing(given))
    else:
        kind.check(getattr(given, kind.name), step_into(path, kind.name), checking)


def compile_fault(given: v1.Fault, name: str, place: int, counter: int) -> faults.Fault | None:
    """A fault that is counted at `place`, its replies at `counter`; None for one that is switched off.

    Raises ValueError for what `check_fault` would have reported.
    """
    kind, value = FAULTS.chosen(given)
    if given.HasField("probability") and not given.probability:
        return None
    return faults.Fault(
        name=name,
        cell=place,
        effect=kind.compile(value),
        probability=given.probability if given.HasField("probability") else 1.0,
        per_connection=given.target == v1.Fault.TARGET_CONNECTION,
        skip=given.skip,
        times=given.times,
        window_seconds=durations.seconds(given.per),
        every=given.every or 1,
        sequence_cell=counter,
    )


def lint_faults(listener: v1.Listener, linting: Linting) -> None:
    """Report the faults of a listener that never apply."""
    swallows: str | None = None  # the first that leaves no bytes of any reply
    for index, fault in enumerate(listener.faults):
        kind = FAULTS.of(fault)
        if kind is None:
            continue
        why = _never_applies(fault, kind)
        if why is None and swallows is not None and kind.needs_bytes:
            why = f"{swallows} leaves no bytes of any reply"
        if why is not None:
            linting.add(f"{linting.path}.faults[{index}]", f"never applies: {why}")
        elif swallows is None and kind.leaves_no_bytes(getattr(fault, kind.name)) and _always(fault):
            swallows = f"faults[{index}]"


def _never_applies(fault: v1.Fault, kind: FaultKind) -> str | None:
    if fault.HasField("probability") and not fault.probability:
        return "its probability is 0"
    return kind.never_applies(fault)


def _always(fault: v1.Fault) -> bool:
    certain = not fault.HasField("probability") or fault.probability >= 1
    return certain and not fault.skip and not fault.times and fault.every <= 1
