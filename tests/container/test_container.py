"""The image and the Compose file on a real engine: it answers, is scraped, and stops in order."""

import json
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Run
from tests.container.docker import compose, docker, inspect
from tests.waiting import eventually

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]  # the first of them builds the images

PUBLISH = ("--publish", "127.0.0.1:0:8000")  # any free port; the README's is 8000:8000


def published(container: str, port: str = "8000/tcp") -> tuple[str, int]:
    binding = inspect(container)["NetworkSettings"]["Ports"][port][0]
    return binding["HostIp"], int(binding["HostPort"])


def ask(address: tuple[str, int], request: bytes = b"hi") -> bytes:
    """Everything that is answered to one request, up to the FIN."""
    with closing(socket.create_connection(address, timeout=10)) as connection:
        connection.sendall(request)
        heard = b""
        while piece := connection.recv(4096):
            heard += piece
        return heard


def test_it_answers_hello_world_and_closes(run: Run) -> None:
    container = run(options=PUBLISH)
    assert ask(published(container)) == b"Hello, World!"


def test_it_is_process_1_and_nobody_in_particular(run: Run) -> None:
    container = run()
    assert docker("exec", container, "id", "-u").strip() == "65532"
    assert b"answerback" in docker("exec", container, "cat", "/proc/1/cmdline").encode()


def test_docker_stop_ends_it_in_order(run: Run) -> None:
    container = run(options=PUBLISH)
    docker("stop", container)
    state = inspect(container)["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


def test_docker_stop_ends_it_in_order_with_a_client_that_says_nothing(run: Run) -> None:
    container = run(options=PUBLISH)
    with closing(socket.create_connection(published(container), timeout=10)) as silent:
        eventually(lambda: _open_connections(container) == 1.0, what="the silent client is counted as open")
        docker("stop", container)  # kills after ten seconds, and the exit code would be 137
        assert silent.recv(1) == b""
    assert inspect(container)["State"]["ExitCode"] == 0


def test_a_configuration_is_mounted_and_named_after_the_image(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "echo.yaml"
    file.write_text("listeners: [{name: echo, address: '0.0.0.0:8000', rules: [{do: [echo, close]}]}]\n")
    container = run("serve", "--config", "/config.yaml", options=(*PUBLISH, "--volume", f"{file}:/config.yaml:ro"))
    assert ask(published(container), b"anyone?") == b"anyone?"


@pytest.fixture
def composed(image: str, prometheus: str) -> Iterator[dict[str, str]]:
    """The Compose project, up, on ports of the engine's choice; gone afterwards."""
    project = f"answerback-test-{os.getpid()}"
    environment = {
        **os.environ,
        "ANSWERBACK_IMAGE": image,
        "ANSWERBACK_PORT": "0",
        "PROMETHEUS_PORT": "0",
        "COMPOSE_PROJECT_NAME": project,
    }
    assert prometheus in compose("config", "--images", env=environment)
    try:
        compose("up", "--detach", "--no-build", env=environment)
        yield environment
    finally:
        compose("down", "--volumes", "--timeout", "10", env=environment)


def test_prometheus_beside_it_scrapes_it(composed: dict[str, str]) -> None:
    host, port = compose("port", "answerback", "8000", env=composed).strip().rsplit(":", 1)
    assert ask((host, int(port))) == b"Hello, World!"
    where = compose("port", "prometheus", "9090", env=composed).strip()
    eventually(lambda: _value(where, 'up{job="answerback"}') == 1, within=60, what="the target is up")
    query = "sum(answerback_connections_accepted_total)"
    eventually(lambda: _value(where, query) == 1, within=60, what="the one connection is in Prometheus")
    compose("stop", env=composed)
    container = compose("ps", "--all", "--quiet", "answerback", env=composed).strip()
    assert inspect(container)["State"]["ExitCode"] == 0


def _value(prometheus: str, query: str) -> float | None:
    with urllib.request.urlopen(
        f"http://{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    ) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def _open_connections(container: str) -> float:
    read = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    text = docker("exec", container, "python", "-c", read)
    series = [line for line in text.splitlines() if line.startswith("answerback_connections_open")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in series)
