"""Durations as people write them: `300ms`, `1.5s`, `1m30s`, `0`."""

import re

from google.protobuf.duration_pb2 import Duration

# Rule: whole nanoseconds, never a float: what `show` writes is what was given.

_NANOSECONDS = {"h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_ORDER = tuple(_NANOSECONDS)
_PART = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(h|ms|m|s|us|ns)")
_WHOLE = re.compile(rf"(-)?((?:{_PART.pattern})+)")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]+)?")
_MOST_SECONDS = 315_576_000_000  # google.protobuf.Duration: 10,000 years


def parse(text: str) -> Duration:
    """A duration; raises ValueError, whose text says what is wrong."""
    if text in {"0", "-0"}:
        return Duration()
    found = _WHOLE.fullmatch(text)
    if not found:
        if _NUMBER.fullmatch(text):
            raise ValueError(f"a duration needs a unit: {text}s, {text}ms")
        raise ValueError("a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h")
    parts = _PART.findall(found[2])
    units = [_ORDER.index(unit) for _, _, unit in parts]
    if units != sorted(set(units)):
        raise ValueError("the units of a duration go from the largest to the smallest, each once: 1h30m, 1m30s")
    total = sum(_in_nanoseconds(*part) for part in parts)
    if total > _MOST_SECONDS * 10**9:
        raise ValueError("too long for a duration")
    return _of(-total if found[1] else total)


def _in_nanoseconds(whole: str, fraction: str, unit: str) -> int:
    scale = _NANOSECONDS[unit]
    value, rest = divmod(int(whole + fraction) * scale, int(10 ** len(fraction)))
    if rest:
        raise ValueError("finer than a nanosecond")
    return value


def _of(total: int) -> Duration:
    seconds, nanos = divmod(abs(total), 10**9)
    return Duration(seconds=seconds, nanos=nanos) if total >= 0 else Duration(seconds=-seconds, nanos=-nanos)


def written(duration: Duration) -> str:
    """The shortest way to write it that `parse` reads back to the same."""
    left = abs(nanoseconds(duration))
    if not left:
        return "0"
    parts = []
    for unit in ("h", "m"):
        count, left = divmod(left, _NANOSECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if left:
        unit = next(unit for unit in ("s", "ms", "us", "ns") if left >= _NANOSECONDS[unit])
        count, rest = divmod(left, _NANOSECONDS[unit])
        digits = len(str(_NANOSECONDS[unit])) - 1
        fraction = f".{rest:0{digits}}".rstrip("0") if rest else ""
        parts.append(f"{count}{fraction}{unit}")
    return ("-" if nanoseconds(duration) < 0 else "") + "".join(parts)


def nanoseconds(duration: Duration) -> int:
    """The nanoseconds of a duration."""
    return int(duration.seconds) * 10**9 + int(duration.nanos)


def seconds(duration: Duration) -> float:
    """The seconds of a duration, for a plan."""
    return nanoseconds(duration) / 10**9
