"""The basis of a release: one version, everything pinned by hash, a checklist whose tools exist."""

import re
from pathlib import Path

import pytest

import answerback

ROOT = Path(__file__).resolve().parent.parent
PINNED = sorted((ROOT / "requirements").glob("*.txt"))
CHART = ROOT / "deploy" / "helm" / "answerback" / "Chart.yaml"


def test_version_has_one_source() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", answerback.__version__)
    project = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project
    assert '[tool.hatch.version]\npath = "service/answerback/__init__.py"' in project
    suffixes = {".py", ".toml", ".yaml", ".yml", ".json", ".proto", ".tpl"}
    rooms = [ROOT / room for room in ("service", "proto", "tools", "deploy", "bench")]
    files = [path for room in rooms for path in room.rglob("*") if path.suffix in suffixes]
    files += [ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / "Dockerfile"]
    said = re.compile(rf"(?<![\d.]){re.escape(answerback.__version__)}(?![\d.])")
    assert {path for path in files if said.search(path.read_text())} == {ROOT / "service/answerback/__init__.py", CHART}


def test_chart_repeats_the_version() -> None:
    repeated = re.findall(r"^(version|appVersion): (.*)$", CHART.read_text(), re.MULTILINE)
    assert dict(repeated) == {"version": answerback.__version__, "appVersion": answerback.__version__}


def test_changelog_begins_with_this_version() -> None:
    heading = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert re.fullmatch(rf"## \[{re.escape(answerback.__version__)}\] - (Unreleased|\d{{4}}-\d\d-\d\d)", heading)


@pytest.mark.parametrize("file", PINNED, ids=lambda file: str(file.name))
def test_requirements_are_pinned_by_hash(file: Path) -> None:
    logical = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE))
    lines = [line for line in logical.splitlines() if line.strip()]
    assert lines
    pinned = re.compile(r"[\w.-]+(\[[\w,-]+\])?==\S+( ; [^#]+?)? +(--hash=sha256:[0-9a-f]{64} *)+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_installed_packages_are_checked_against_their_hash() -> None:
    """By the Makefile, the image, and what gets single programs."""
    for file in (ROOT / "Makefile", ROOT / "Dockerfile", ROOT / "tools/helm.py", ROOT / "tools/sbom.py"):
        assert "--require-hashes" in file.read_text(), file
