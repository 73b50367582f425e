"""Formatting of times: strftime independent of the locale and of the C library."""

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

# Rule: a directive means what C's strftime makes of it in the "C" locale, at UTC; any other is rejected.

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_EPOCH = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001 - a day, not a moment


class UnknownDirective(ValueError):
    """A directive that is not in `DIRECTIVES`: which, and where it begins in the format."""

    def __init__(self, directive: str, position: int) -> None:
        super().__init__(directive, position)
        self.directive = directive
        self.position = position


def _unix(at: datetime) -> int:
    return ((at.toordinal() - _EPOCH) * 24 + at.hour) * 3600 + at.minute * 60 + at.second


def _day_of_year(at: datetime) -> int:
    return at.toordinal() - datetime(at.year, 1, 1).toordinal() + 1  # noqa: DTZ001 - a day, not a moment


def _week_from_sunday(at: datetime) -> int:
    return (_day_of_year(at) + 6 - at.isoweekday() % 7) // 7


def _week_from_monday(at: datetime) -> int:
    return (_day_of_year(at) + 6 - at.weekday()) // 7


# Each directive: how it is written in a format, and what it produces.
_FIELDS: Final[dict[str, tuple[bytes, Callable[[datetime], Any]]]] = {
    "Y": (b"%04d", attrgetter("year")),
    "m": (b"%02d", attrgetter("month")),
    "d": (b"%02d", attrgetter("day")),
    "e": (b"%2d", attrgetter("day")),
    "H": (b"%02d", attrgetter("hour")),
    "I": (b"%02d", lambda at: (at.hour - 1) % 12 + 1),
    "M": (b"%02d", attrgetter("minute")),
    "S": (b"%02d", attrgetter("second")),
    "f": (b"%06d", attrgetter("microsecond")),
    "s": (b"%d", _unix),
    "y": (b"%02d", lambda at: at.year % 100),
    "j": (b"%03d", _day_of_year),
    "p": (b"%b", lambda at: b"AM" if at.hour < 12 else b"PM"),
    "a": (b"%b", lambda at: _DAYS[at.weekday()][:3].encode()),
    "A": (b"%b", lambda at: _DAYS[at.weekday()].encode()),
    "b": (b"%b", lambda at: _MONTHS[at.month - 1][:3].encode()),
    "B": (b"%b", lambda at: _MONTHS[at.month - 1].encode()),
    "u": (b"%d", datetime.isoweekday),
    "w": (b"%d", lambda at: at.isoweekday() % 7),
    "U": (b"%02d", _week_from_sunday),
    "W": (b"%02d", _week_from_monday),
    "V": (b"%02d", lambda at: at.isocalendar().week),
    "G": (b"%04d", lambda at: at.isocalendar().year),
}
_FIXED: Final = {"z": b"+0000", "Z": b"UTC", "%": b"%%"}
_TOGETHER: Final = {"F": "Ymd", "T": "HMS", "R": "HM", "D": "mdy"}
_BETWEEN: Final = {"F": b"-", "T": b":", "R": b":", "D": b"/"}

DIRECTIVES: Final = frozenset([*_FIELDS, *_FIXED, *_TOGETHER])


def strftime(format_: str) -> Callable[[datetime], bytes]:
    """Return the function that formats a time; text outside directives is copied as UTF-8.

    Raises UnknownDirective.
    """
    pattern = bytearray()
    getters: list[Callable[[datetime], Any]] = []
    at = 0
    while (directive := format_.find("%", at)) >= 0:
        pattern += format_[at:directive].encode()
        name = format_[directive + 1 : directive + 2]
        if name not in DIRECTIVES:
            raise UnknownDirective("%" + name, directive)
        pattern += _FIXED.get(name, b"")
        fields = _TOGETHER.get(name, name if name in _FIELDS else "")
        pattern += _BETWEEN.get(name, b"").join(_FIELDS[field][0] for field in fields)
        getters += [_FIELDS[field][1] for field in fields]
        at = directive + 2
    whole = bytes(pattern + format_[at:].encode())
    return lambda time: whole % tuple([get(time) for get in getters])
