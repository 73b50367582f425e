"""RE2 over bytes for characters: ASCII as it is, other characters as the escapes of their UTF-8."""

from typing import Final

# Rule: the result is ASCII. RE2 takes a byte for a character of Latin-1, so what is not ASCII stands in `(?-i:…)`, and
#       its other case is an alternative.

_SPECIAL: Final = frozenset("\\.+*?()|[]{}^$")
_KNOWN: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


class NoEquivalent(ValueError):
    """RE2 cannot say it, or it is no expression of its language; the text says what, where, and what to write."""


def literal(text: str, *, ignore_case: bool) -> str:
    """RE2 that matches a text. With `ignore_case` an ASCII letter still needs `(?i)` around it."""
    return "".join(character(each, ignore_case=ignore_case) for each in text)


def character(one: str, *, ignore_case: bool) -> str:
    """RE2 that matches a character, outside a class."""
    if one.isascii():
        return f"\\{one}" if one in _SPECIAL else _plain(one)
    written = [_bytes(each) for each in (cases(one) if ignore_case else [one])]
    return f"(?-i:{'|'.join(written)})"


def in_class(one: str) -> str:
    """A character of ASCII within a class."""
    return f"\\{one}" if one in "\\]^-[" else _plain(one)


def has_case(text: str) -> bool:
    """Whether a character outside ASCII has another case, which `ignore_case` of Answerback does not ignore."""
    return any(len(cases(each)) > 1 for each in text if not each.isascii())


def cases(one: str) -> list[str]:
    """A character outside ASCII in all cases that are one such character, the character itself first."""
    cases = dict.fromkeys((one, one.lower(), one.upper()))
    return [each for each in cases if len(each) == 1 and not each.isascii()]


def _plain(one: str) -> str:
    return one if " " <= one <= "~" else _KNOWN.get(one, f"\\x{ord(one):02x}")


def _bytes(one: str) -> str:
    try:
        return "".join(f"\\x{byte:02x}" for byte in one.encode())
    except UnicodeEncodeError:
        raise NoEquivalent("half of a surrogate pair has no UTF-8") from None
