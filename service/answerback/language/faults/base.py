"""What the kinds of fault share, and the parts of a fault that are the same for all of them."""

import time
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Final

from answerback.core import faults
from answerback.core.bounded_counter import CountedFor
from answerback.language import bounds, durations, timestamps
from answerback.language.context import Checking, Linting
from answerback.language.enums import counted_for
from answerback.language.expressions.errors import suggestion
from answerback.language.fields import Field, Moment, Time, Where, describe
from answerback.language.payloads import says_nothing
from answerback.language.problems import quoted, step_into
from answerback.language.registry import Family, Kind
from answerback.language.rules import rule_key
from answerback.v1 import config_pb2 as v1


class FaultKind(Kind):
    """A way to misbehave."""

    needs_bytes: ClassVar[bool] = False
    """Whether it applies only to replies that send something."""

    from_peer: ClassVar[bool] = False
    """Whether it can change what the peer sends: `read_rate` says how."""

    in_handshake: ClassVar[bool] = False
    """Whether it is for the handshakes of TLS: `handshake` says how."""

    on_relays: ClassVar[bool] = False
    """Whether it is for the bytes that a relay passes on."""

    per_connection_on_relays: ClassVar[bool] = False
    """Whether a relay can only decide it once per connection: it has no replies."""

    def check_on_relay(self, given: Any, path: str, checking: Checking) -> None:
        """Report what cannot be said of the bytes that a relay passes on."""

    def read_rate(self, given: Any) -> int:  # noqa: ARG002 - most change nothing there
        """The bytes per second that are read from the peer."""
        raise ValueError(f"{self.name} changes replies")

    def handshake(self, given: Any) -> faults.Tls | None:  # noqa: ARG002 - most change replies
        """How it ends a handshake."""
        return None

    @abstractmethod
    def compile(self, given: Any) -> faults.Effect:
        """Make the effect of a checked value."""

    def leaves_no_bytes(self, given: Any) -> bool:  # noqa: ARG002 - most leave some, whatever is given
        """Whether nothing of a reply is sent that it applies to."""
        return False

    def never_applies(self, fault: v1.Fault) -> str | None:  # noqa: ARG002 - most apply
        """Why a fault of this kind never applies; None if it may."""
        return None


MAX_COMPARED: Final = 100  # names that an unknown one is compared with, to suggest one

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
    scope=Field(
        "faults: [{scope: PEER, times: 2, reset: {}}]",
        default="`LISTENER`; with the target `CONNECTION`, `CONNECTION`",
        words="with `FROM_PEER` not `CONNECTION`",
    ),
    skip=Field("faults: [{skip: 100, truncate: {bytes: 3}}]", default="`0` replies"),
    times=Field("faults: [{times: 2, reset: {}}]", default="`0`: no limit"),
    per=Time(
        "faults: [{times: 2, per: 10s, reset: {}}]",
        default="no window",
        zero="must be more than 0: the window in which applications are counted",
        words="only with `times`",
    ),
    every=Field("faults: [{every: 10, latency: 1s}]", default="`1`", words="0 is the same as 1"),
    rules=Field(
        "faults: [{rules: [login], latency: 1s}]",
        default="all rules, and closes that no rule asks for",
        words="names of the listener's rules; only with `TO_PEER`",
    ),
    direction=Field(
        "faults: [{direction: FROM_PEER, bandwidth: {bytes_per_second: 1000}}]",
        default="`TO_PEER`",
        words="`FROM_PEER` only with `bandwidth`",
    ),
    expire_time=Moment(
        "faults: [{expire_time: 2099-11-29T06:00:00Z, latency: 1s}]",
        default="never",
        words="a time as in RFC 3339",
    ),
)


def fault_key(fault: v1.Fault, index: int) -> str:
    """What a fault is counted under: its name, or its place among the listener's faults."""
    return fault.name or f"faults[{index}]"


def check_fault(
    given: v1.Fault,
    path: str,
    checking: Checking,
    *,
    rules: Collection[str] = (),
    relays: bool = False,
    tls: bool = False,
) -> None:
    """Report what is wrong with a fault, but for its name.

    `rules`: the names of the listener's rules. `relays`: whether the listener has an upstream; `tls`: whether TLS.
    """
    bounds.enum(v1.Fault.Target.DESCRIPTOR, given.target, f"{path}.target", checking.problems)
    bounds.enum(v1.Scope.DESCRIPTOR, given.scope, f"{path}.scope", checking.problems)
    if not 0 <= (given.probability if given.HasField("probability") else 1) <= 1:  # NaN is neither
        checking.add(f"{path}.probability", f"must be 0 to 1, not {given.probability:g}")
    if given.HasField("per"):
        FIELDS.fields["per"].check(given.per, f"{path}.per", checking)
        if not given.times:
            checking.add(f"{path}.per", "only with `times`: it is what is counted in each window")
    if given.HasField("expire_time"):
        FIELDS.fields["expire_time"].check(given.expire_time, f"{path}.expire_time", checking)
    for index, rule in enumerate(given.rules):
        if rule not in rules:
            hint = suggestion(rule, rules) if len(rules) <= MAX_COMPARED else ""
            checking.add(f"{path}.rules[{index}]", f"no rule of this listener has the name {quoted(rule)}{hint}")
    kind = FAULTS.of(given)
    if relays:
        _check_on_relay(given, kind, path, checking)
    elif kind is not None and kind.in_handshake:
        _check_in_handshake(given, kind, path, checking, tls=tls)
    else:
        _check_direction(given, kind, path, checking)
    if kind is None:
        checking.add(path, says_nothing(given))
    else:
        kind.check(getattr(given, kind.name), step_into(path, kind.name), checking)


def _check_direction(given: v1.Fault, kind: FaultKind | None, path: str, checking: Checking) -> None:
    bounds.enum(v1.Fault.Direction.DESCRIPTOR, given.direction, f"{path}.direction", checking.problems)
    if given.direction != v1.Fault.DIRECTION_FROM_PEER:
        return
    if kind is not None and not kind.from_peer:
        possible = " and ".join(each.name for each in FAULTS if each.from_peer)
        checking.add(f"{path}.direction", f"FROM_PEER is for {possible}; {kind.name} changes replies")
    if given.rules:
        checking.add(f"{path}.rules", "not with FROM_PEER: bytes are read before a rule matches them")
    if given.target == v1.Fault.TARGET_REPLY:
        checking.add(f"{path}.target", "not REPLY with FROM_PEER, which is decided once per connection")
    if given.scope == v1.SCOPE_CONNECTION:
        checking.add(f"{path}.scope", "not CONNECTION with FROM_PEER, which is decided once per connection")


def _check_in_handshake(given: v1.Fault, kind: FaultKind, path: str, checking: Checking, *, tls: bool) -> None:
    bounds.enum(v1.Fault.Direction.DESCRIPTOR, given.direction, f"{path}.direction", checking.problems)
    if not tls:
        checking.add(f"{path}.{kind.name}", "the listener has no handshakes: it needs `tls: {cert: FILE, key: FILE}`")
    if given.direction == v1.Fault.DIRECTION_FROM_PEER:
        checking.add(f"{path}.direction", f"not FROM_PEER with {kind.name}, which changes what the server sends")
    if given.rules:
        checking.add(f"{path}.rules", f"not with {kind.name}: a handshake is no reply of a rule")
    if given.target == v1.Fault.TARGET_REPLY:
        checking.add(f"{path}.target", f"not REPLY with {kind.name}, which is decided once for each handshake")
    if given.scope == v1.SCOPE_CONNECTION:
        checking.add(f"{path}.scope", f"not CONNECTION with {kind.name}: a connection has one handshake")


def _check_on_relay(given: v1.Fault, kind: FaultKind | None, path: str, checking: Checking) -> None:
    bounds.enum(v1.Fault.Direction.DESCRIPTOR, given.direction, f"{path}.direction", checking.problems)
    if given.rules:
        checking.add(f"{path}.rules", "not with an upstream: its faults act on what passes, whatever rule it is of")
    if kind is None:
        return
    if not kind.on_relays:
        possible = ", ".join(each.name for each in FAULTS if each.on_relays)
        checking.add(f"{path}.{kind.name}", f"not with an upstream, where faults act on bytes: use one of {possible}")
    elif kind.per_connection_on_relays and given.target != v1.Fault.TARGET_CONNECTION:
        why = f"with an upstream {kind.name} counts the bytes of a connection: write target: CONNECTION"
        checking.add(f"{path}.target", why)
    kind.check_on_relay(getattr(given, kind.name), f"{path}.{kind.name}", checking)


def scope_of(given: v1.Fault, *, relays: bool = False) -> CountedFor:
    """What a fault is counted for; if it does not say, that follows from its target."""
    per_connection = given.target == v1.Fault.TARGET_CONNECTION and (relays or not _is_once(given))
    return counted_for(given.scope, CountedFor.CONNECTION if per_connection else CountedFor.LISTENER)


def _is_from_peer(given: v1.Fault) -> bool:
    return given.direction == v1.Fault.DIRECTION_FROM_PEER


def _is_once(given: v1.Fault) -> bool:
    """Whether a connection decides it only once anyway."""
    kind = FAULTS.of(given)
    return _is_from_peer(given) or (kind is not None and kind.in_handshake)


def compile_fault(given: v1.Fault, name: str, place: int, counter: int, *, relays: bool = False) -> faults.Fault | None:
    """A fault that is counted at `place`, its replies at `counter`; None for one that is switched off.

    `relays`: whether it acts on bytes that are passed on, in whichever direction. Raises ValueError for what
    `check_fault` would have reported.
    """
    kind, value = FAULTS.chosen(given)
    if given.HasField("probability") and not given.probability:
        return None
    from_peer = _is_from_peer(given) and not relays
    once = _is_once(given) and not relays
    return faults.Fault(
        name=name,
        cell=place,
        effect=kind.compile(value),
        probability=given.probability if given.HasField("probability") else 1.0,
        per_connection=given.target == v1.Fault.TARGET_CONNECTION and not once,
        scope=scope_of(given, relays=relays),
        skip=given.skip,
        times=given.times,
        window_seconds=durations.seconds(given.per),
        every=given.every or 1,
        sequence_cell=counter,
        rules=frozenset(given.rules),
        read_rate=kind.read_rate(value) if from_peer else 0,
        handshake=kind.handshake(value),
    )


def lint_faults(listener: v1.Listener, linting: Linting) -> None:
    """Report the faults of a listener that never apply."""
    swallows: str | None = None  # the first that leaves no bytes of any reply
    for index, fault in enumerate(listener.faults):
        kind = FAULTS.of(fault)
        if kind is None:
            continue
        if fault.scope and not fault.skip and not fault.times and fault.every <= 1:
            linting.add(f"{linting.path}.faults[{index}].scope", "has no effect: neither skip, times nor every is set")
        why = _never_applies(fault, kind, listener)
        in_replies = fault.direction != v1.Fault.DIRECTION_FROM_PEER and not kind.in_handshake
        if why is None and swallows is not None and kind.needs_bytes and in_replies:
            why = f"{swallows} leaves no bytes of any reply"
        if why is not None:
            linting.add(f"{linting.path}.faults[{index}]", f"never applies: {why}")
        elif swallows is None and kind.leaves_no_bytes(getattr(fault, kind.name)) and _always(fault):
            swallows = f"faults[{index}]"


def _never_applies(fault: v1.Fault, kind: FaultKind, listener: v1.Listener) -> str | None:
    if fault.HasField("probability") and not fault.probability:
        return "its probability is 0"
    if fault.HasField("expire_time") and timestamps.nanoseconds(fault.expire_time) <= time.time_ns():
        return f"its expire_time {timestamps.written(fault.expire_time)} has passed"
    on_limit = {rule_key(rule, index) for index, rule in enumerate(listener.rules) if rule.event == v1.EVENT_LIMIT}
    if fault.rules and on_limit.issuperset(fault.rules):
        return "what rules on LIMIT send goes through no fault"
    return kind.never_applies(fault)


def _always(fault: v1.Fault) -> bool:
    certain = not fault.HasField("probability") or fault.probability >= 1
    return certain and not fault.rules and not fault.skip and not fault.times and fault.every <= 1
