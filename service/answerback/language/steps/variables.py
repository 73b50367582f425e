"""The variables that the steps `set`, `unset` and `add` name."""

from typing import Final

from answerback.core.expressions import Type, Value
from answerback.language.context import Checking, Compiling
from answerback.language.payloads import says_nothing
from answerback.language.steps.base import check_variable_name
from answerback.v1 import config_pb2 as v1

KEY_WORDS: Final = "an [expression](expressions.md) that makes 1 to 511 bytes"


def check_variable(given: v1.Step.Set | v1.Step.Unset, path: str, checking: Checking) -> None:
    """Check that a variable is named, of this connection or a shared one."""
    match given.WhichOneof("variable"):
        case "name":
            check_variable_name(given.name, f"{path}.name", checking)
            if not given.name:
                checking.add(f"{path}.name", "missing: it has no default")
        case "shared":
            check_key(given.shared, f"{path}.shared", checking)
        case _:
            checking.add(path, says_nothing(given))


def check_key(text: str, path: str, checking: Checking) -> None:
    """Check the expression of a key."""
    checking.expression(text, Type.BYTES, path)


def shared_key(text: str, compiling: Compiling) -> Value:
    """Compile the expression of a key."""
    return compiling.expression(text, Type.BYTES)
