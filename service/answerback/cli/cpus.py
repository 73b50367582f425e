"""The default number of workers."""

import math
import os
from pathlib import Path
from typing import Final

MOST: Final = 4  # a larger number must be set: on a large machine the server should not take all CPUs
CGROUP: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")


def default_workers() -> int:
    """The CPUs that this process may use, by affinity and by the quota of its control group; 1 to 4."""
    return max(1, math.ceil(min(MOST, len(os.sched_getaffinity(0)), quota())))


def quota(root: Path = CGROUP, own: Path = OWN_CGROUP) -> float:
    """CPUs' worth of time that the control groups above us grant, the least (cgroups(7), v2 and v1); inf: no quota."""
    return min((_granted(folder) for folder in _folders(root, own)), default=math.inf)


def _folders(root: Path, own: Path) -> list[Path]:
    """Our group's folder and those above it. Within a container, the root is often our own group already."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return [root, root / "cpu"]
    found: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / "cpu" if controllers else root
        group = base / path.lstrip("/")
        found += [base, *(folder for folder in (group, *group.parents) if folder.is_relative_to(base))]
    return found


def _granted(folder: Path) -> float:
    for read in (_v2, _v1):
        try:
            return read(folder)
        except (OSError, ValueError):
            continue
    return math.inf


def _v2(folder: Path) -> float:
    limit, period = (folder / "cpu.max").read_text().split()
    return math.inf if limit == "max" else int(limit) / int(period)


def _v1(folder: Path) -> float:
    limit = int((folder / "cpu.cfs_quota_us").read_text())
    return math.inf if limit < 0 else limit / int((folder / "cpu.cfs_period_us").read_text())
