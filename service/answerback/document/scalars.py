"""Scalars of a file to values of fields. A ValueError says what is expected."""

import re
from collections.abc import Callable
from math import inf
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from answerback.document.schema import renamed_value, short_words, suggestion
from answerback.document.yaml_tree import Scalar
from answerback.language.problems import quoted

_INTEGER = re.compile(r"(-?)(?:(0|[1-9][0-9]{0,24})|0x([0-9a-fA-F]{1,20})|0o([0-7]{1,25}))")
_DECIMAL = re.compile(r"-?[0-9]{1,25}(?:\.[0-9]{1,25})?(?:[eE][+-]?[0-9]{1,4})?")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOT_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_RANGES = {
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
}


def _text(node: Scalar, _field: FieldDescriptor) -> str:
    return node.text


def _boolean(node: Scalar, _field: FieldDescriptor) -> bool:
    if node.plain and node.text in _BOOLEANS:
        return _BOOLEANS[node.text]
    meant = _NOT_BOOLEANS.get(node.text.lower(), node.text.lower())
    hint = f"; write {meant}" if meant in _BOOLEANS else ""
    raise ValueError(f"true or false is expected, not {quoted(node.text)}{hint}")


def _integer(node: Scalar, field: FieldDescriptor) -> int:
    found = _INTEGER.fullmatch(node.text) if node.plain else None
    if not found:
        raise ValueError(f"a whole number is expected, not {quoted(node.text)}{'' if node.plain else ' in quotes'}")
    sign, decimal, hexadecimal, octal = found.groups()
    value = int(decimal) if decimal else int(hexadecimal, 16) if hexadecimal else int(octal, 8)
    value = -value if sign else value
    least, most = _RANGES[field.type]
    if not least <= value <= most:
        raise ValueError(f"must be {least} to {most}, not {value}")
    return value


def _number(node: Scalar, _field: FieldDescriptor) -> float:
    if not node.plain or not _DECIMAL.fullmatch(node.text):
        raise ValueError(f"a number is expected, not {quoted(node.text)}{'' if node.plain else ' in quotes'}")
    value = float(node.text)
    if value in {inf, -inf}:
        raise ValueError(f"{quoted(node.text)} is too large")
    return value


def _enum(node: Scalar, field: FieldDescriptor) -> int:
    known = short_words(field.enum_type)
    word = node.text.upper()
    full = field.enum_type.values_by_name.get(word)
    if word in known:
        return known[word]
    if full is not None and full.number:
        return int(full.number)
    if today := renamed_value(field.enum_type, word):
        raise ValueError(f"`{node.text}` is called `{today}`")
    raise ValueError(f"no such word: {quoted(node.text)}{suggestion(node.text, list(known))}")


SCALARS: dict[int, Callable[[Scalar, FieldDescriptor], Any]] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_ENUM: _enum,
    FieldDescriptor.TYPE_DOUBLE: _number,
    **dict.fromkeys(_RANGES, _integer),
}
