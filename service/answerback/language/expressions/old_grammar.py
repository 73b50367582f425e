"""The expression for a value of the former grammar, `function:argument`. Only messages use it."""

import re
from typing import Final

_WORD = re.compile(r"\s*([A-Za-z_0-9.-]+)")
_INDEX = re.compile(r"\[(-?[0-9]+)\]")
_SLICE = re.compile(r"\[[-0-9]*:[-0-9]*\]")
_RENAMED: Final = {"tohex": "hex", "request.number": "request_number", "uuid": "uuid()"}
_OF_BYTES: Final = frozenset({"len", "crc32", "sum8", "tohex", "upper", "lower"})
_OF_INT: Final = frozenset({"u8", "u16be", "u16le", "u32be", "u32le", "u64be", "u64le"})
_INTS: Final = frozenset({"len", "crc32", "sum8", "peer.port", "local.port", "request.number"})
_BITS: Final = {"or": "|", "xor": "^"}
_MOST = 1024  # characters: a value has no more


def rewritten(text: str) -> str | None:
    """The expression for a value; None if it is not of the former grammar."""
    if len(text) > _MOST:
        return None
    found = _value(text, wants_int=False, depth=0)
    return found[0] if found is not None and not found[1].strip() else None


def size(text: str) -> str | None:
    """The expression for a size, if the whole text is `${…}`; otherwise None."""
    found = re.fullmatch(r"\s*\$\{([^{}]*)\}\s*", text)
    if found is None or len(text) > _MOST:
        return None
    inside = found[1]
    packed = re.fullmatch(r"u(?:8|16|32|64)(be|le|):(.*)", inside, re.DOTALL)
    if packed is not None:
        data = _value(packed[2], wants_int=False, depth=0)
        return None if data is None or data[1].strip() else f"{packed[1] or 'be'}({data[0]})"
    made = rewritten(inside)
    return made if made is None or inside.partition(":")[0] in _INTS else f"int({made})"


def _value(text: str, *, wants_int: bool, depth: int) -> tuple[str, str] | None:
    """One value at the beginning, rewritten, and what follows it."""
    word = _WORD.match(text)
    if word is None or depth > 16:
        return None
    name, rest = word[1], text[word.end() :]
    if not rest.startswith(":"):
        return _plain(name, rest, wants_int=wants_int)
    rest = rest[1:]
    if name in {"hex", "now"}:
        inside, comma, rest = rest.partition(",") if name == "hex" and depth else (rest, "", "")
        function = "unhex" if name == "hex" else "now"
        made = f"{function}('{inside}')"
        return (f"be({made})" if wants_int else made), comma + rest
    if name in _BITS:
        one = _value(rest, wants_int=True, depth=depth + 1)
        other = _value(one[1][1:], wants_int=True, depth=depth + 1) if one and one[1].startswith(",") else None
        return None if one is None or other is None else (f"u8({one[0]} {_BITS[name]} {other[0]})", other[1])
    return _applied(name, rest, wants_int=wants_int, depth=depth)


def _applied(name: str, rest: str, *, wants_int: bool, depth: int) -> tuple[str, str] | None:
    padding = re.fullmatch(r"pad([0-9]+)", name)
    if name not in _OF_BYTES and name not in _OF_INT and name != "random" and padding is None:
        return None
    wants = name not in _OF_BYTES
    argument = _value(rest, wants_int=wants, depth=depth + 1)
    if argument is None:
        return None
    inside = argument[0]
    if name in _OF_BYTES and rest.partition(":")[0].strip() in _INTS:
        inside = f"str({inside})"
    made = f"pad({inside}, {padding[1]})" if padding else f"{_RENAMED.get(name, name)}({inside})"
    if wants_int and name not in _INTS:
        made = f"be({made})"
    return made, argument[1]


def _plain(name: str, rest: str, *, wants_int: bool) -> tuple[str, str] | None:
    """A name, a number or a slice."""
    if re.fullmatch(r"0x[0-9a-fA-F]+", name) or (wants_int and name.isdecimal()):
        return name, rest
    made = f"captures[{name}]" if name.isdecimal() else _RENAMED.get(name, name)
    if name.startswith("vars.") and "-" in name:
        made = f"vars['{name[5:]}']"
    index, part = _INDEX.match(rest), _SLICE.match(rest)
    if index is not None:
        at = int(index[1])
        one = f"[{at}]" if wants_int else f"[{at}:{at + 1 or ''}]"
        return made + one, rest[index.end() :]
    if part is not None:
        made, rest = made + part[0], rest[part.end() :]
    return (f"be({made})" if wants_int and name not in _INTS else made), rest
