"""The limits of a listener: what may be wrong with them, their defaults, and how they are compiled."""

from math import inf
from typing import Final, Literal

from answerback.core.plan import Limits
from answerback.language import bounds, durations
from answerback.language.context import Linting
from answerback.language.problems import Problems, step_into
from answerback.v1 import config_pb2 as v1

DEFAULTS: Final = Limits()
TIMEOUTS: Final = ("idle_timeout", "request_timeout", "write_timeout", "lifetime")

_Timeout = Literal["idle_timeout", "request_timeout", "write_timeout", "lifetime"]


def check_limits(given: v1.Limits, path: str, problems: Problems, descriptor_limit: int | None) -> None:
    """Report what is wrong with them. `descriptor_limit`: how many descriptors a process may have, if that is known."""
    for field in TIMEOUTS:
        if given.HasField(field):
            bounds.duration(getattr(given, field), bounds.MAX_TIMEOUT, step_into(path, field), problems)
    if given.HasField("max_request_bytes"):
        here = step_into(path, "max_request_bytes")
        bounds.between(given.max_request_bytes, 1, bounds.MAX_REQUEST_BYTES, here, problems)
    if descriptor_limit is not None and 0 <= descriptor_limit < given.max_connections:  # RLIM_INFINITY is -1
        problems.add(
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
