"""The placeholders of templates: what each looks up in the turn."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from answerback.core.templates.values import Bytes, Number, Value
from answerback.core.turn import Turn

# Rule: one placeholder, one row or one function, one test. What is not there is empty; nothing here raises.


def uuid(turn: Turn) -> bytes:
    """A UUID of version 4 (RFC 4122, section 4.4), of the listener's chance: a seed makes it repeatable."""
    bits = turn.chance.getrandbits(128)
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62  # the version, the variant
    digits = b"%032x" % bits
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


PLACEHOLDERS: Final[dict[str, Value]] = {
    "request": Bytes(attrgetter("request")),
    "peer.host": Bytes(lambda turn: turn.peer[0].encode()),
    "peer.port": Number(lambda turn: turn.peer[1]),
    "local.port": Number(attrgetter("local_port")),
    "listener": Bytes(lambda turn: turn.listener.encode()),
    "connection.id": Bytes(lambda turn: turn.connection_id.encode()),
    "request.number": Number(attrgetter("number")),
    "state": Bytes(lambda turn: turn.state.encode()),
    "uuid": Bytes(uuid),
}


def variable(name: str) -> Bytes:
    """What was kept under the name; empty if nothing was."""
    return Bytes(lambda turn: turn.variables.get(name, b""))


def capture(key: int | str) -> Bytes:
    """A group of the pattern that made the rule match; empty if it took no part."""
    # RE2 in its Latin-1 mode names groups in bytes.
    group: Any = key.encode() if isinstance(key, str) else key

    def captured(turn: Turn) -> bytes:
        captures = turn.captures
        if captures is None:
            return b""
        try:
            return captures.group(group) or b""
        except IndexError:  # another of the rule's patterns has it
            return b""

    return Bytes(captured)


def random(size: int) -> Bytes:
    """So many random bytes, of the listener's chance.

    Bytes, because this is a language of bytes: `tohex:random:8` makes text of them and `u8:random:1` a number,
    while no function could make a nonce or a salt of text or of a number.
    """
    return Bytes(lambda turn: turn.chance.randbytes(size))


def now(write: Callable[[Any], bytes]) -> Bytes:
    """The time of day, UTC, as `clock.strftime` writes it."""
    return Bytes(lambda turn: write(turn.wall_clock()))


def sliced(value: Bytes, part: slice) -> Bytes:
    """A part of it; what lies past its end is empty."""
    of = value.of
    return Bytes(lambda turn: of(turn)[part])
