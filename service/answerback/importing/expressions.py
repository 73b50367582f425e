"""Expressions of Answerback."""

from collections.abc import Callable, Mapping
from typing import Final

_ESCAPES: Final = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\0": r"\x00"}


def literal(data: bytes) -> str:
    """Bytes as a literal: as text if they are UTF-8."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "b'" + "".join(f"\\x{byte:02x}" for byte in data) + "'"
    return "'" + "".join(_ESCAPES.get(each, each) for each in text) + "'"


COMPARISONS: Final[Mapping[str, Callable[[str, str, int], str]]] = {
    "equals": lambda value, wanted, _size: f"{value} == {wanted}",
    "contains": lambda value, wanted, _size: f"{wanted} in {value}",
    "prefix": lambda value, wanted, size: f"{value}[0:{size}] == {wanted}",
    "suffix": lambda value, wanted, size: f"{value}[-{size}:] == {wanted}",
}
"""Comparisons of a value with a literal of a size, by the word that a condition on the whole request has."""
