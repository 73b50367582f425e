"""The chart, rendered by Helm."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "answerback"
RELEASE = "demo"

Manifest = dict[str, Any]


def helm(*arguments: str | Path, values: Manifest | None = None) -> str:
    """What `helm ARGUMENTS` prints; raises AssertionError with what it complained of."""
    done = _run(*arguments, values=values or {})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def complaint(values: Manifest) -> str:
    """Why Helm does not render the chart with these values."""
    done = _run("template", RELEASE, CHART, values=values)
    assert done.returncode != 0, done.stdout
    return done.stderr


def rendered(values: Manifest | None = None) -> list[Manifest]:
    """The manifests of a release with these values over the chart's."""
    return [manifest for manifest in yaml.safe_load_all(_text(json.dumps(values or {}))) if manifest]


def of_kind(*kinds: str, values: Manifest | None = None) -> list[Manifest]:
    """The manifests of these kinds."""
    return [each for each in rendered(values) if each["kind"] in kinds]


def one(kind: str, values: Manifest | None = None, name: str = "demo-answerback") -> Manifest:
    """The manifest of this kind and name."""
    (found,) = (each for each in of_kind(kind, values=values) if each["metadata"]["name"] == name)
    return found


def workload(values: Manifest | None = None) -> Manifest:
    """The Deployment, or the StatefulSet."""
    (found,) = of_kind("Deployment", "StatefulSet", values=values)
    return found


def pod(values: Manifest | None = None) -> Manifest:
    """What the workload says of its pods."""
    return dict(workload(values)["spec"]["template"]["spec"])


@functools.cache
def _text(values: str) -> str:
    return helm("template", RELEASE, CHART, values=json.loads(values))


def _run(*arguments: str | Path, values: Manifest) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("helm")
    assert program.exists(), f"helm is missing: python -m tools.helm {program}"
    command = [str(program), *map(str, arguments), "--values", "-"]
    return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)
