"""Every field of the language with its default, its bounds and an example, for the reference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from answerback.language import check, listeners, payload_fields  # noqa: F401 - they describe messages
from answerback.language.delays import DELAYS
from answerback.language.faults import FAULTS
from answerback.language.fields import Where, all_described
from answerback.language.framing import FRAMINGS
from answerback.language.matching import MATCHES
from answerback.language.registry import Family
from answerback.language.steps import STEPS

FAMILIES: tuple[Family[Any], ...] = (FRAMINGS, MATCHES, STEPS, DELAYS, FAULTS)


@dataclass(frozen=True, slots=True)
class Entry:
    """One field. `message` is the full name of its message."""

    message: str
    field: str
    where: Where
    """The message that the example is a field of."""
    example: str
    default: str = ""
    """The meaning of an absent field; empty if the schema says it."""
    bounds: str = ""


def entries() -> Iterator[Entry]:
    """Every field that is described, those of kinds too."""
    for each in all_described():
        for name, field in each.fields.items():
            yield Entry(each.message.DESCRIPTOR.full_name, name, each.where, field.example, field.default, field.bounds)
    for family in FAMILIES:
        for kind in family:
            yield Entry(family.message.DESCRIPTOR.full_name, kind.name, family.where, kind.example, bounds=kind.words)
