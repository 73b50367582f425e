"""Each family describes every member of its oneof, and each kind has an example that does what it says."""

from typing import Any

import pytest

from answerback.document.document import load
from answerback.language.check import check
from answerback.language.delays import DELAYS
from answerback.language.faults import FAULTS
from answerback.language.framing import FRAMINGS
from answerback.language.lint import FAMILIES, warnings
from answerback.language.matching import MATCHES
from answerback.language.registry import Family, Kind
from answerback.language.steps import STEPS
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import compiled

ALL: dict[str, Family[Any]] = {
    "Delay": DELAYS,
    "Fault": FAULTS,
    "Framing": FRAMINGS,
    "Match": MATCHES,
    "Step": STEPS,
}
KINDS = [(name, kind) for name, family in ALL.items() for kind in family]
AROUND = {
    "Delay": "rules: [{do: [{delay: EXAMPLE}, {send: x}]}]",
    "Fault": "rules: [{do: [{send: x}]}]\n    faults: [EXAMPLE]",
    "Framing": "framing: EXAMPLE\n    rules: [{do: [{send: x}]}]",
    "Match": "rules: [{when: EXAMPLE, do: [{send: x}]}]",
    "Step": "rules: [{do: [EXAMPLE]}, {in_states: [ready], do: [{send: x}]}, {when: enter, do: [{state: ready}]}]",
}


def configuration(family: str, example: str) -> v1.Config:
    """A configuration around an example, which has nothing wrong with it."""
    written = example if family not in {"Fault", "Step"} or example.isidentifier() else f"{{{example}}}"
    text = f"listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    {AROUND[family].replace('EXAMPLE', written)}\n"
    document = load(text)
    assert [*map(str, document.problems), *map(str, check(document.config, {}))] == []
    return document.config


@pytest.mark.parametrize("name", ALL)
def test_a_family_describes_every_member_of_its_oneof(name: str) -> None:
    assert [kind.name for kind in ALL[name]] == [field.name for field in ALL[name].fields]


def test_the_families_that_warnings_go_through_are_all_but_delays() -> None:
    assert {family.message for family in FAMILIES} == {family.message for family in ALL.values()} - {v1.Delay}


@pytest.mark.parametrize("family, kind", KINDS, ids=[f"{name}.{kind.name}" for name, kind in KINDS])
def test_a_kind_says_what_it_is_and_its_example_is_taken(family: str, kind: Kind) -> None:
    assert (type(kind).__doc__ or "").endswith(".")
    config = configuration(family, kind.example)
    found = [message for _, message in messages(config) if isinstance(message, ALL[family].message)]
    assert any(message.WhichOneof("kind") == kind.name for message in found)
    assert set(compiled(config).listeners) == {"it"}
    assert [warning for warning in warnings(config) if "never" not in warning.message] == []


def test_a_kind_that_the_schema_does_not_have_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match=r"answerback\.v1\.Fault has no field lightning"):
        FAULTS.kind("lightning")


def test_a_kind_is_described_once() -> None:
    with pytest.raises(ValueError, match=r"answerback\.v1\.Fault\.drop is described already"):
        FAULTS.kind("drop")


def test_a_message_that_chooses_nothing_has_no_kind() -> None:
    assert FAULTS.of(v1.Fault()) is None
    with pytest.raises(ValueError, match="a fault says nothing"):
        FAULTS.chosen(v1.Fault())
