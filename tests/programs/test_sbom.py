"""The bill of materials lists the installed packages and their dependencies, and nothing else."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import answerback

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Any:
    where = tmp_path_factory.mktemp("sbom") / "answerback.cdx.json"
    # What runs, and the tools that make the bill, are two environments.
    env = {**os.environ, "PYTHONPATH": str(ROOT / "service"), "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run([sys.executable, "-m", "tools.sbom", str(where)], cwd=ROOT, env=env, check=True, timeout=300)
    return json.loads(where.read_text())


def canonical(name: str) -> str:
    """A package's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    text = (ROOT / "requirements" / "run.txt").read_text()
    return {
        canonical(name): version for name, version in re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", text, re.MULTILINE)
    }


def test_sbom_names_this_version(bill: Any) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    root = bill["metadata"]["component"]
    assert (root["name"], root["version"]) == ("answerback", answerback.__version__)
    assert bill["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")


def test_sbom_lists_exactly_the_pinned_packages(bill: Any) -> None:
    named = {canonical(each["name"]): each["version"] for each in bill["components"]}
    assert named.items() <= pins().items()
    assert {each["purl"] for each in bill["components"]} == {f"pkg:pypi/{name}@{named[name]}" for name in named}


def test_sbom_lists_the_dependencies_of_each_package(bill: Any) -> None:
    names = {each["bom-ref"]: canonical(each["name"]) for each in bill["components"]}
    needs = {each["ref"]: {names[on] for on in each.get("dependsOn", ())} for each in bill["dependencies"]}
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ours = needs[bill["metadata"]["component"]["bom-ref"]]
    assert ours == {canonical(re.split(r"[^\w.-]", each)[0]) for each in asked}
    reached, new = set(ours), set(ours)
    while new:
        new = {on for ref, ons in needs.items() if names.get(ref) in new for on in ons} - reached
        reached |= new
    assert reached == set(names.values()), "everything is needed by something"
