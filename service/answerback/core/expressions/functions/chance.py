"""Random numbers and bytes, from the listener's generator: a seed makes them repeatable."""

from answerback.core.context import RequestContext
from answerback.core.expressions.errors import EvaluationError, bounded


def randint(context: RequestContext, least: int, most: int) -> int:
    """A number of a range, both ends included."""
    if least > most:
        raise EvaluationError(f"randint: {least} is more than {most}")
    return context.chance.randint(least, most)


def random(context: RequestContext, size: int) -> bytes:
    """This number of bytes."""
    if size < 0:
        raise EvaluationError(f"random: {size} bytes is negative")
    bounded(size)
    return context.chance.randbytes(size)


def uuid(context: RequestContext) -> bytes:
    """A UUID of version 4 (RFC 4122, section 4.4)."""
    bits = context.chance.getrandbits(128)
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62  # the version, the variant
    digits = b"%032x" % bits
    return b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
