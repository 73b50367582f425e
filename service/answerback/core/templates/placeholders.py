"""The placeholders of templates, which read values from the request's context."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from answerback.core.context import RequestContext
from answerback.core.templates.values import Bytes, Number, Value

# Rule: one placeholder, one row or one function, one test. A missing value is empty; nothing here raises.


def uuid(context: RequestContext) -> bytes:
    """A UUID of version 4 (RFC 4122, section 4.4), from the listener's generator: a seed makes it repeatable."""
    bits = context.chance.getrandbits(128)
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62  # the version, the variant
    digits = b"%032x" % bits
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


PLACEHOLDERS: Final[dict[str, Value]] = {
    "request": Bytes(attrgetter("request")),
    "peer.host": Bytes(lambda context: context.peer[0].encode()),
    "peer.port": Number(lambda context: context.peer[1]),
    "local.port": Number(attrgetter("local_port")),
    "listener": Bytes(lambda context: context.listener.encode()),
    "connection.id": Bytes(lambda context: context.connection_id.encode()),
    "request.number": Number(attrgetter("number")),
    "state": Bytes(lambda context: context.state.encode()),
    "uuid": Bytes(uuid),
}


def variable(name: str) -> Bytes:
    """The variable of this name; empty if it is not set."""
    return Bytes(lambda context: context.variables.get(name, b""))


def capture(key: int | str) -> Bytes:
    """A group of the pattern that made the rule match; empty if it did not participate."""
    # RE2 in its Latin-1 mode names groups in bytes.
    group: Any = key.encode() if isinstance(key, str) else key

    def captured(context: RequestContext) -> bytes:
        captures = context.captures
        if captures is None:
            return b""
        try:
            return captures.group(group) or b""
        except IndexError:  # the group belongs to another pattern of the rule
            return b""

    return Bytes(captured)


def random(size: int) -> Bytes:
    """`size` random bytes, from the listener's generator.

    They are bytes because templates produce bytes: `tohex:random:8` converts them to text and `u8:random:1` to a
    number, while no function could make a nonce or a salt from text or from a number.
    """
    return Bytes(lambda context: context.chance.randbytes(size))


def now(write: Callable[[Any], bytes]) -> Bytes:
    """The time of day, UTC, as `clock.strftime` writes it."""
    return Bytes(lambda context: write(context.wall_clock()))


def sliced(value: Bytes, part: slice) -> Bytes:
    """A slice of the value; empty beyond its end."""
    of = value.of
    return Bytes(lambda context: of(context)[part])
