"""Conditions, and what predicates of all protocols have in common."""

from typing import Any, Final

from answerback.importing.source import Unfit, Value

Condition = dict[str, Any]

ALWAYS: Final[Condition] = {"size": {"min": 0}}
NEVER: Final[Condition] = {"not": ALWAYS}

_MAPPED: Final = "::ffff:"  # before an IPv4 address where mountebank listens on all addresses


def all_of(conditions: list[Condition]) -> Condition:
    """The condition that all of these hold, in as few words as possible."""
    needed = [each for each in conditions if each is not ALWAYS]
    if not needed:
        return ALWAYS
    return needed[0] if len(needed) == 1 else {"all": needed}


def any_of(conditions: list[Condition]) -> Condition:
    """The condition that one of these holds, in as few words as possible."""
    if not conditions:
        return NEVER
    return conditions[0] if len(conditions) == 1 else {"any": conditions}


def peer(expected: Value) -> Condition:
    """The condition that the client has an address. Raises Unfit."""
    return {"peer": expected.text().removeprefix(_MAPPED)}


def text_of(expected: Value) -> str:
    """What mountebank compares with: a string, or a number or boolean as one. Raises Unfit."""
    if expected.is_mapping or expected.is_list:
        raise expected.unfit(
            "the request as JSON has no equivalent: write `when: {expr: \"json(request, 'PATH') == 'TEXT'\"}`"
        )
    if expected.is_text:
        return expected.text()
    try:
        return str(expected.integer())
    except Unfit:
        return "true" if expected.boolean() else "false"
