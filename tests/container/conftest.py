"""One build of the image for all of these tests, and containers that are gone after each."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.container.docker import ROOT, docker, has_image, inspect
from tests.waiting import eventually

Run = Callable[..., str]

USER = 65532  # the image's
HARDENED = (
    *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "256m", "--cpus", "2"),
    *("--publish", "127.0.0.1:0:8000", "--publish", "127.0.0.1:0:50051", "--health-interval", "1s"),
)


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    """The image, built from this tree under a name of its own."""
    name = f"answerback:test-{os.getpid()}"
    docker("build", "--network", "host", "--tag", name, "--build-arg", "VERSION=test", str(ROOT))
    yield name
    docker("image", "rm", "--force", name)


@pytest.fixture
def run(image: str) -> Iterator[Run]:
    """Start hardened containers and give their ids, once healthy; arguments come after the image, options before it."""
    started: list[str] = []

    def start(*arguments: str, options: tuple[str, ...] = ()) -> str:
        container = docker("run", "--detach", *HARDENED, *options, image, *arguments).strip()
        started.append(container)
        healthy(container)
        return container

    yield start
    for container in started:
        docker("rm", "--force", "--volumes", container)


@pytest.fixture(scope="session")
def prometheus() -> Iterator[str]:
    """A real Prometheus under the name that the compose file gives: Debian's, where that image is not available."""
    name = "prom/prometheus:v3.5.0"
    ours = not has_image(name)
    if ours:
        docker("build", "--network", "host", "--tag", name, str(ROOT / "tests" / "container" / "prometheus"))
    yield name
    if ours:
        docker("image", "rm", "--force", name)


def healthy(container: str) -> None:
    """Wait until the container's health check passes."""

    def passes() -> bool:
        state = inspect(container)["State"]
        assert state["Running"], (state, docker("logs", container))
        return bool(state["Health"]["Status"] == "healthy")

    eventually(passes, what="the container's health check passes")


def private(path: Path, content: str) -> Path:
    """A file that only the container's user may read."""
    path.write_text(content)
    path.chmod(0o400)
    os.chown(path, USER, USER)
    return path
