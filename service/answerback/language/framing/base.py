"""The base of the kinds of framing."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, cast

from answerback.core.framing import Buffer, Framing, Malformed
from answerback.language.context import Checking, Compiling, Linting
from answerback.language.expressions import FramingField
from answerback.language.fields import Where
from answerback.language.payloads import says_nothing
from answerback.language.problems import step_into
from answerback.language.registry import Family, Kind
from answerback.v1 import config_pb2 as v1

DEFAULT: Final = "read"


class FramingKind(Kind):
    """A way in which bytes become requests. `framing` below is always an instance of `runtime`."""

    runtime: ClassVar[type[Any]]
    """Its class in `core.framing`."""

    provides: ClassVar[tuple[FramingField, ...]] = ()
    sample: ClassVar[bytes] = b""
    """The bytes of a client, for the examples of the names that it provides."""
    """The names that expressions may use for requests under it."""

    replies_runtime: ClassVar[type[Any] | None] = None
    """Its class in `core.framing` for replies, if these have a form of their own. Its names are for requests then."""

    @abstractmethod
    def compile(self, given: Any, compiling: Compiling) -> Framing:
        """Make the framing of a checked value. Raises ValueError."""

    def not_for_replies(self, given: Any) -> str:  # noqa: ARG002 - most can
        """Why it cannot frame the replies of an upstream; empty if it can."""
        return ""

    def compile_for_replies(self, given: Any, compiling: Compiling) -> Framing:
        """Make the framing of an upstream's replies. Raises ValueError."""
        return self.compile(given, compiling)

    def describe(self, framing: Any) -> str:  # noqa: ARG002 - most have nothing more to say
        """The framing in the words of a configuration."""
        return self.name

    def waits_for(self, framing: Any, buffer: Buffer, missing: int) -> str | None:  # noqa: ARG002 - as above
        """The part that an incomplete request lacks; None if only the number of bytes is known, `missing` or more."""
        return None

    def lint(self, given: Any, path: str, linting: Linting) -> None:
        """Report what is probably not meant, beside the limits of its listener."""


FRAMINGS: Family[FramingKind] = Family(v1.Framing, "framing", Where.LISTENER)


def check_framing(given: v1.Framing, path: str, checking: Checking) -> None:
    """Report what is wrong with a framing."""
    kind = FRAMINGS.of(given)
    if kind is None:
        checking.add(path, says_nothing(given))
    else:
        kind.check(getattr(given, kind.name), step_into(path, kind.name), checking)


def check_reply_framing(given: v1.Framing, path: str, checking: Checking) -> None:
    """Report what is wrong with the framing of an upstream's replies."""
    check_framing(given, path, checking)
    kind = FRAMINGS.of(given)
    why = "" if kind is None else kind.not_for_replies(getattr(given, kind.name))
    if kind is not None and why:
        checking.add(step_into(path, kind.name), f"not for the replies of an upstream: {why}")


def compile_framing(given: v1.Framing, compiling: Compiling) -> Framing:
    """Make a core framing; by default `read`. Raises ValueError for what `check_framing` would have reported."""
    kind = FRAMINGS.of(given) or FRAMINGS[DEFAULT]
    return kind.compile(getattr(given, kind.name), compiling)


def compile_reply_framing(given: v1.Framing, compiling: Compiling) -> Framing:
    """Make the framing of an upstream's replies. Raises ValueError."""
    kind, chosen = FRAMINGS.chosen(given)
    return kind.compile_for_replies(chosen, compiling)


def provided_in_replies(given: v1.Framing) -> tuple[FramingField, ...]:
    """The names that a framing provides for the replies of an upstream."""
    kind = FRAMINGS.of(given)
    return () if kind is None or kind.replies_runtime is not None else kind.provides


def provided_by(given: v1.Framing) -> tuple[FramingField, ...]:
    """The names that a framing provides for expressions; by default those of `read`."""
    return (FRAMINGS.of(given) or FRAMINGS[DEFAULT]).provides


def lint_framing(given: v1.Framing, path: str, linting: Linting) -> None:
    """Report what is probably not meant with a framing, beside the limits of its listener."""
    kind = FRAMINGS.of(given) or FRAMINGS[DEFAULT]
    kind.lint(getattr(given, kind.name), step_into(path, kind.name), linting)


def describe(framing: Framing | None) -> str:
    """A core framing in the words of a configuration; None is one empty request."""
    return "fixed, 0 bytes" if framing is None else _kind_of(framing).describe(framing)


def waits_for(framing: Framing, framer: Framing, buffer: Buffer) -> str:
    """The part that incomplete bytes of a request lack. `framer`: the one of `framing` for the connection."""
    missing = framer.min_length(buffer) - len(buffer)
    words = _kind_of(framing).waits_for(framing, buffer, missing)
    if words is not None:
        return words
    return f"at least {missing} more byte{'s' * (missing > 1)}" if missing > 0 else "the request is incomplete"


def objection(framer: Framing, buffer: Buffer) -> str:
    """Why bytes will never be a request; empty if they may. `framer`: what a framing made for the connection."""
    try:
        if not framer.split(buffer, 0)[0]:
            framer.min_length(buffer)
    except Malformed as problem:
        return str(problem)
    return ""


def _kind_of(framing: Framing) -> FramingKind:
    runtimes = ((runtime, kind) for kind in FRAMINGS for runtime in (kind.runtime, kind.replies_runtime))
    by_runtime = cast(Mapping[type[Any], FramingKind], dict(runtimes))
    return by_runtime[type(framing)]
