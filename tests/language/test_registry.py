"""Each family describes every member of its oneof, once; `test_reference` checks their examples."""

from typing import Any

import pytest

from answerback.language.delays import DELAYS
from answerback.language.faults import FAULTS
from answerback.language.framing import FRAMINGS
from answerback.language.lint import FAMILIES
from answerback.language.matching import MATCHES
from answerback.language.registry import Family, Kind
from answerback.language.steps import STEPS
from answerback.v1 import config_pb2 as v1

ALL: dict[str, Family[Any]] = {
    "Delay": DELAYS,
    "Fault": FAULTS,
    "Framing": FRAMINGS,
    "Match": MATCHES,
    "Step": STEPS,
}
KINDS = [(name, kind) for name, family in ALL.items() for kind in family]


@pytest.mark.parametrize("name", ALL)
def test_registry_has_every_member_of_its_oneof(name: str) -> None:
    assert [kind.name for kind in ALL[name]] == [field.name for field in ALL[name].fields]


def test_warnings_cover_every_family_except_delays() -> None:
    assert {family.message for family in FAMILIES} == {family.message for family in ALL.values()} - {v1.Delay}


@pytest.mark.parametrize("family, kind", KINDS, ids=[f"{name}.{kind.name}" for name, kind in KINDS])
def test_each_kind_has_a_description_and_an_example(family: str, kind: Kind) -> None:
    assert (type(kind).__doc__ or "").endswith(".")
    assert kind.name in kind.example, family


def test_kind_without_a_field_in_the_schema_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match=r"answerback\.v1\.Fault has no field lightning"):
        FAULTS.kind("lightning")


def test_kind_registered_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"answerback\.v1\.Fault\.drop is described already"):
        FAULTS.kind("drop")


def test_empty_message_has_no_kind() -> None:
    assert FAULTS.of(v1.Fault()) is None
    with pytest.raises(ValueError, match="a fault says nothing"):
        FAULTS.chosen(v1.Fault())
