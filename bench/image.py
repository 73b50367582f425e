"""``python -m bench.image IMAGE``: size, memory and start time of the container image, as a table."""

# Rule: each container runs as confined as the README says, and is gone when it has been measured.

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.server import CouldNotRun
from bench.startup import scrape

ROOT: Final = Path(__file__).resolve().parent.parent
STARTS: Final = 5  # an odd number: the median is one of them
CPUS: Final = (1, 2, 4)  # and as many workers
POLL_S: Final = 0.005
TIMEOUT_S: Final = 30.0
CONFINED: Final = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m")

Docker = Callable[..., str]


def main(arguments: Sequence[str] | None = None, docker: Docker | None = None) -> int:
    """Measure and print. Exit 0; 1 if Docker refuses something, or a container does not get ready."""
    parser = argparse.ArgumentParser(prog="python -m bench.image", description=__doc__)
    parser.add_argument("image", nargs="?", default="answerback:dev", help="as `make image` named it")
    image = parser.parse_args(arguments).image
    run = docker or _docker
    try:
        rows = [measure(run, image, workers) for workers in CPUS]
        print(table(image, over_base(run, image), rows))
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(error.cmd)}: {error.stderr.strip()}", file=sys.stderr)
        return 1
    except CouldNotRun as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def over_base(docker: Docker, image: str) -> int:
    """Bytes that the image has over the base that the Dockerfile names."""
    base = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG BASE="))
    ours, theirs = (_inspect(docker, name)["Size"] for name in (image, base.partition("=")[2]))
    return int(ours - theirs)


def measure(docker: Docker, image: str, workers: int) -> tuple[int, float, float]:
    """(workers, median seconds until ready, MiB at rest), the last of them counted by the container's own cgroup."""
    seconds, memory = [], []
    for _ in range(STARTS):
        with started(docker, image, workers) as container:
            seconds.append(until_ready(docker, container))
            memory.append(resident(docker, container))
    return workers, statistics.median(seconds), statistics.median(memory)


@contextmanager
def started(docker: Docker, image: str, workers: int) -> Iterator[str]:
    """A container, removed afterwards."""
    options = (*CONFINED, "--no-healthcheck", "--publish", "127.0.0.1::9464")
    container = docker("run", "--detach", *options, image, "serve", "--workers", str(workers)).strip()
    try:
        yield container
    finally:
        docker("rm", "--force", container)


def until_ready(docker: Docker, container: str) -> float:
    """Seconds from its start, as the engine has it, until /readyz says so."""
    known = _inspect(docker, container)
    port = int(known["NetworkSettings"]["Ports"]["9464/tcp"][0]["HostPort"])
    began = datetime.fromisoformat(known["State"]["StartedAt"]).timestamp()
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            scrape(port, "/readyz")
        except (OSError, http.client.HTTPException, CouldNotRun):
            time.sleep(POLL_S)
        else:
            return time.time() - began
    raise CouldNotRun(f"{container}: not ready after {TIMEOUT_S} s")


def resident(docker: Docker, container: str) -> float:
    """MiB that the engine counts against the container's limit: all processes, and what the kernel holds for them."""
    return mebibytes(docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container))


def mebibytes(usage: str) -> float:
    """Of what `docker stats` says: `75.04MiB / 512MiB`."""
    used = usage.partition("/")[0].strip()
    number, unit = used[:-3], used[-3:]
    return float(number) * {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}[unit]


def table(image: str, over: int, rows: Sequence[tuple[int, float, float]]) -> str:
    """All of it, as Markdown."""
    lines = [
        f"{image}: {over / 1e6:.0f} MB over its base",
        "",
        "| workers | ready after | memory at rest |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {workers} | {seconds:.2f} s | {memory:.0f} MiB |" for workers, seconds, memory in rows]
    return "\n".join(lines)


def _inspect(docker: Docker, name: str) -> Any:
    return json.loads(docker("inspect", name))[0]


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
