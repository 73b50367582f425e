"""The default number of workers."""

import math
import os
from pathlib import Path

import pytest

from answerback.cli import cpus


def group(root: Path, path: str, **files: str) -> None:
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def own(root: Path, *lines: str) -> Path:
    file = root / "own"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_cpu_quota_without_control_groups_is_infinite(tmp_path: Path) -> None:
    assert cpus.quota(tmp_path, tmp_path / "none") == math.inf


def test_cpu_quota_is_the_lowest_of_all_groups_above(tmp_path: Path) -> None:
    group(tmp_path, "pod", cpu__max="150000 100000\n")
    group(tmp_path, "pod/container", cpu__max="max 100000\n")
    assert cpus.quota(tmp_path, own(tmp_path, "0::/pod/container")) == 1.5


def test_cpu_quota_inside_a_container_is_read_from_the_root_group(tmp_path: Path) -> None:
    group(tmp_path, "", cpu__max="50000 100000\n")
    assert cpus.quota(tmp_path, own(tmp_path, "0::/")) == 0.5
    assert cpus.quota(tmp_path, own(tmp_path, "0::/../..")) == 0.5


def test_cpu_quota_of_control_groups_version_1_is_quota_by_period(tmp_path: Path) -> None:
    group(tmp_path, "cpu/box", cpu__cfs_quota_us="300000\n", cpu__cfs_period_us="100000\n")
    lines = ("9:memory:/box", "4:cpu,cpuacct:/box")
    assert cpus.quota(tmp_path, own(tmp_path, *lines)) == 3.0
    group(tmp_path, "cpu/box", cpu__cfs_quota_us="-1\n")
    assert cpus.quota(tmp_path, own(tmp_path, *lines)) == math.inf


@pytest.mark.parametrize(
    "allowed, granted, workers", [(64, math.inf, 4), (2, math.inf, 2), (8, 1.5, 2), (8, 0.2, 1), (1, 3.0, 1)]
)
def test_default_workers_is_the_number_of_usable_cpus_and_at_most_4(
    monkeypatch: pytest.MonkeyPatch, allowed: int, granted: float, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(allowed)))
    monkeypatch.setattr(cpus, "quota", lambda: granted)
    assert cpus.default_workers() == workers
