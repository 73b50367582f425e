"""The limits of a listener: what may be wrong with them, their defaults, and how they are compiled."""

from math import inf
from typing import Final, Literal

from answerback.core.plan import Limits
from answerback.language import bounds, durations
from answerback.language.context import Checking, Linting
from answerback.language.fields import Field, Number, Time, Where, describe
from answerback.language.problems import step_into
from answerback.v1 import config_pb2 as v1

DEFAULTS: Final = Limits()
FIELDS: Final = describe(
    v1.Limits,
    Where.LISTENER,
    max_connections=Field(
        "limits: {max_connections: 100}",
        default="`0`: no limit",
        words="at most the hard limit of descriptors",
    ),
    max_connections_per_peer=Field("limits: {max_connections_per_peer: 10}", default="`0`: no limit"),
    idle_timeout=Time("limits: {idle_timeout: 30s}", default="`5m`", words="0: no limit", most=bounds.MAX_TIMEOUT),
    request_timeout=Time(
        "limits: {request_timeout: 500ms}", default="`30s`", words="0: no limit", most=bounds.MAX_TIMEOUT
    ),
    write_timeout=Time("limits: {write_timeout: 10s}", default="`30s`", words="0: no limit", most=bounds.MAX_TIMEOUT),
    lifetime=Time("limits: {lifetime: 1h}", default="`0`", words="0: no limit", most=bounds.MAX_TIMEOUT),
    max_request_bytes=Number(
        "limits: {max_request_bytes: 4096}",
        default="`1048576` bytes",
        least=1,
        most=bounds.MAX_REQUEST_BYTES,
        unit="bytes",
    ),
)

_Timeout = Literal["idle_timeout", "request_timeout", "write_timeout", "lifetime"]


def check_limits(given: v1.Limits, path: str, checking: Checking, descriptor_limit: int | None) -> None:
    """Report what is wrong with them. `descriptor_limit`: how many descriptors a process may have, if that is known."""
    FIELDS.check(given, path, checking)
    if descriptor_limit is not None and 0 <= descriptor_limit < given.max_connections:  # RLIM_INFINITY is -1
        checking.add(
            step_into(path, "max_connections"),
            f"{given.max_connections} is past the hard limit of {descriptor_limit} descriptors (ulimit -Hn)",
        )


def compile_limits(given: v1.Limits) -> Limits:
    """The limits, defaults filled in; 0 means none."""

    def seconds(field: _Timeout, default: float) -> float:
        return durations.seconds(getattr(given, field)) or inf if given.HasField(field) else default

    size = given.max_request_bytes if given.HasField("max_request_bytes") else DEFAULTS.max_request_bytes
    return Limits(
        max_connections=given.max_connections,
        max_connections_per_peer=given.max_connections_per_peer,
        idle_timeout=seconds("idle_timeout", DEFAULTS.idle_timeout),
        request_timeout=seconds("request_timeout", DEFAULTS.request_timeout),
        write_timeout=seconds("write_timeout", DEFAULTS.write_timeout),
        lifetime=seconds("lifetime", DEFAULTS.lifetime),
        max_request_bytes=size,
    )


def lint_limits(given: v1.Limits, linting: Linting) -> None:
    """Report timeouts that never end a connection."""
    limits = linting.limits
    for shorter in ("idle_timeout", "request_timeout"):
        if given.HasField(shorter) and limits.lifetime <= getattr(limits, shorter) < inf:
            linting.add(f"{linting.path}.limits.{shorter}", "never ends a connection: its lifetime is over by then")
