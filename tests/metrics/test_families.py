"""Families have names as Prometheus recommends, bounded labels, and documentation."""

import re

import pytest

from answerback.core.actions import CloseReason
from answerback.metrics.families import FAMILIES, LABELS, PREFIX, SECTIONS
from answerback.metrics.samples import Family, Kind
from answerback.shared.listener_counters import ACCEPT_ERRORS, DURATION_BOUNDS, REJECTIONS, UPSTREAM_ERRORS
from tools.metrics_reference import page

ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<kind>\w+) \| (?P<labels>[^|]+) \| (?P<help>[^|]+) \|")
VALUE = re.compile(r"^\| `(\w+)` \| ([^|]+) \|$", re.MULTILINE)

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


def test_each_family_is_in_one_section() -> None:
    assert [family for section in SECTIONS.values() for family in section] == list(FAMILIES)
    assert all(SECTIONS.values())


def test_metrics_reference_lists_each_family_once_with_type_labels_and_help() -> None:
    documented = [row.groups() for row in ROW.finditer(page())]
    assert documented == [
        (
            PREFIX + family.name,
            family.kind.value,
            ", ".join(f"`{label}`" for label in family.labels) or "–",
            family.help,
        )
        for family in FAMILIES
    ]


def test_metrics_reference_explains_every_value_of_its_labels() -> None:
    explained = dict(VALUE.findall(page()))
    reasons = {reason.label: reason.explanation for reason in CloseReason}
    assert explained == reasons | REJECTIONS | ACCEPT_ERRORS | UPSTREAM_ERRORS  # EMFILE and others are in two tables
    assert all(re.fullmatch(r"[A-Z][^|]+\.", meaning) for meaning in explained.values())


def test_metrics_reference_names_every_bound_of_the_histogram() -> None:
    section = page().split("## The histogram")[1]
    assert [float(bound) for bound in re.findall(r"\b\d+(?:\.\d+)?\b", section)] == list(DURATION_BOUNDS)


def test_metrics_reference_has_cells_without_pipes_and_lines_without_trailing_spaces() -> None:
    rows = [line for line in page().splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {3, 5}
    assert page() == "\n".join(line.rstrip() for line in page().splitlines()) + "\n"
