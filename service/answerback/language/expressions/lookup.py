"""The meaning of a name in the scope of a rule."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from answerback.core.expressions import Reads, Type, Value, names
from answerback.core.expressions.values import constant
from answerback.language.expressions.errors import quoted, suggestion
from answerback.language.expressions.functions import FUNCTIONS
from answerback.language.expressions.names import (
    CAPTURES,
    CONNECTION_NUMBER,
    NAMES,
    REPLY,
    ROOTS,
    RULE,
    SHARED,
    VARIABLES,
)
from answerback.language.expressions.scope import Scope

# Rule: a ValueError says what is wrong, and what to write.

REQUEST: Final = "request"
ANSWERED: Final = Value(Type.BYTES, names.answered, Reads.CONNECTION)
"""`request` in rules on REPLY, where the content that rules see is the reply."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def is_variable(name: str) -> bool:
    """Whether a variable can have this name: letters, digits, `_` and `-`, the first a letter or `_`."""
    return _VARIABLE.fullmatch(name) is not None


def is_reserved(name: str) -> bool:
    """Whether a capture may not have this name: it means something else."""
    return name in ROOTS


def name(dotted: str, scope: Scope) -> Value:
    """The value of a name. Raises ValueError."""
    found = NAMES.get(dotted)
    if found is not None:
        if found.needs and found.needs not in scope.listener_fields:
            raise ValueError(f"{dotted} is only known on a listener with `{found.needs}`")
        if dotted == REQUEST and scope.of_reply:
            return ANSWERED
        _check_event(dotted, scope)
        return found.value
    if dotted == RULE:
        return constant(Type.BYTES, scope.rule.encode())
    root, _, rest = dotted.partition(".")
    if root == VARIABLES and rest:
        return _variable(rest)
    field = scope.fields.get(dotted)
    if field is not None and not field.index and not field.arguments:
        return Value(field.type, field.of, field.reads, None, field.weight)
    if dotted in scope.captures.names:
        return names.capture(dotted)
    raise ValueError(_unknown(dotted, scope))


def _check_event(dotted: str, scope: Scope) -> None:
    """Note what is used. Raises ValueError for a name that is not known on the event of the rule."""
    if dotted == REPLY and not scope.of_reply:
        raise ValueError("reply is only known in rules on REPLY")
    if dotted == CONNECTION_NUMBER:
        if scope.event == "LIMIT":
            raise ValueError(f"a connection over a limit has no {CONNECTION_NUMBER}")
        scope.uses_connection_number()


def _variable(given: Any) -> Value:
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    if not is_variable(text):
        raise ValueError(f"{quoted(text)} is not the name of a variable: letters, digits, _ and -, no digit first")
    return names.variable(text)


def variable(key: Any, _scope: Scope) -> Value:
    """The value of `vars[KEY]`. Raises ValueError."""
    if isinstance(key, bytes):
        return _variable(key)
    raise ValueError("the name of a variable is expected: write vars['NAME']")


def capture(key: Any, scope: Scope) -> Value:
    """The value of `captures[KEY]`. Raises ValueError."""
    if isinstance(key, bytes):
        text = key.decode("utf-8", "replace")
        if text not in scope.captures.names:
            raise ValueError(f"no capture {quoted(text)}{_listed(scope)}")
        return names.capture(text)
    if isinstance(key, int):
        return numbered(key, scope)
    raise ValueError("the number or the name of a capture is expected")


def numbered(group: int, scope: Scope) -> Value:
    """The value of a capture by its number. Raises ValueError."""
    groups = scope.captures.groups
    if 1 <= group <= groups:
        return names.capture(group)
    if not groups:
        raise ValueError(f"no capture {group}: no regex with a group makes the rule match")
    raise ValueError(f"no capture {group}: they are 1 to {groups}")


KEYED: Final[Mapping[str, Callable[[Any, Scope], Value]]] = {CAPTURES: capture, VARIABLES: variable}
"""The names that stand before a literal in brackets."""


def no_function(dotted: str | None, scope: Scope) -> str:
    """Return the message for a name before a parenthesis that is not a function."""
    if dotted is None:
        return "only a function stands before ("
    if dotted in NAMES or dotted in scope.captures.names or dotted.startswith("vars."):
        return f"{dotted} is not a function: write it without ( )"
    return f"unknown function {quoted(dotted)}{suggestion(dotted, FUNCTIONS)}"


def _unknown(dotted: str, scope: Scope) -> str:
    if dotted in FUNCTIONS:
        return f"{dotted} is a function: write {FUNCTIONS[dotted].form}"
    field = scope.fields.get(dotted)
    if field is not None:
        return f"write {dotted}[0]" if field.index else f"{dotted} is a function: write {dotted}('…')"
    if dotted == SHARED:
        return "write shared['KEY'], or 'KEY' in shared"
    if dotted in KEYED:
        return f"write {dotted}['NAME']"
    if dotted == "request.number":
        return "it is called request_number"
    names_here = [each.name for each in NAMES.values() if not each.needs or each.needs in scope.listener_fields]
    known = [*names_here, RULE, "vars.NAME", *scope.fields, *scope.captures.names]
    return f"unknown name {quoted(dotted)}{suggestion(dotted, known) or _listed(scope)}"


def _listed(scope: Scope) -> str:
    names_of = sorted(scope.captures.names)
    return f"; captures: {', '.join(names_of)}" if names_of else ""
