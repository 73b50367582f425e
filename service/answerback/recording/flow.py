"""YAML in flow style: one line a value, text in JSON's quotes, whose escapes are YAML's too."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Bare(str):
    """YAML that is written as it stands: a word, or a value in flow style."""

    __slots__ = ()


def flow(value: Any) -> Bare:
    """A value in flow style."""
    if isinstance(value, Bare):
        return value
    if isinstance(value, Mapping):
        return Bare("{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Bare("[" + ", ".join(map(flow, value)) + "]")
    return Bare(json.dumps(value, ensure_ascii=False))
