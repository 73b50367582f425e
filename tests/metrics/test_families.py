"""Families have names as Prometheus recommends, bounded labels, and documentation."""

import re
from pathlib import Path

import pytest

from answerback.core.actions import CloseReason
from answerback.metrics.families import FAMILIES, LABELS, PREFIX
from answerback.metrics.samples import Family, Kind
from answerback.shared.listener_counters import ACCEPT_ERRORS, DURATION_BOUNDS, REJECTIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md").read_text()
ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<kind>\w+) \| (?P<labels>[^|]+) \| (?P<help>[^|]+) \|")

each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])


@each_family
def test_family_names_follow_the_prometheus_conventions(family: Family) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*", family.name)
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert family.help.endswith(".")


@each_family
def test_family_labels_have_bounded_values(family: Family) -> None:
    allowed = {*LABELS, *({"version"} if family.name == "build_info" else ())}
    assert set(family.labels) <= allowed


def test_family_names_are_unique() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)


def test_metrics_reference_lists_each_family_of_the_table() -> None:
    documented = [row.groups() for row in ROW.finditer(PAGE)]
    assert documented == [
        (
            PREFIX + family.name,
            family.kind.value,
            ", ".join(f"`{label}`" for label in family.labels) or "–",
            family.help,
        )
        for family in FAMILIES
    ]


def test_metrics_reference_names_every_label_value() -> None:
    reasons = re.findall(r"^\| `(\w+)` \| [A-Z]", PAGE, re.MULTILINE)
    assert reasons == [reason.label for reason in CloseReason]
    for value in (*REJECTIONS, *ACCEPT_ERRORS):
        assert f"`{value}`" in PAGE


def test_metrics_reference_names_every_histogram_bound() -> None:
    section = PAGE.split("## The histogram")[1]
    assert [float(bound) for bound in re.findall(r"\b\d+(?:\.\d+)?\b", section)] == list(DURATION_BOUNDS)
