"""The image on a real engine, with all restrictions: it answers, and stops in order."""

import json
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.container.conftest import Run
from tests.container.docker import answerback, ask, docker, inside, inspect, published, refused
from tests.waiting import eventually

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]  # the first of them builds the image

MOST = 80_000_000  # bytes over its base
BASE = "python:3.13-slim-trixie"


def test_container_answers_hello_world_and_closes(run: Run) -> None:
    assert ask(published(run())) == b"Hello, World!"


def test_container_runs_server_as_process_1_and_unprivileged_user(run: Run) -> None:
    container = run()
    assert docker("exec", container, "id", "-u").strip() == "65532"
    assert "answerback" in docker("exec", container, "cat", "/proc/1/cmdline")


def test_container_has_no_capabilities_and_writes_no_file(run: Run) -> None:
    container = run()
    status = docker("exec", container, "cat", "/proc/1/status")
    assert {"CapEff:\t0000000000000000", "NoNewPrivs:\t1"} <= set(status.splitlines())
    assert docker("diff", container).strip() == ""


def test_image_is_little_larger_than_its_base(image: str) -> None:
    assert inspect(image)["Size"] - inspect(BASE)["Size"] <= MOST


def test_image_has_no_build_tools(image: str) -> None:
    without = ("pip", "gcc", "cc", "make", "hatchling")
    look = f"for each in {' '.join(without)}; do ls /opt/answerback/bin/$each /opt/build 2>/dev/null; done; true"
    assert docker("run", "--rm", "--entrypoint", "sh", image, "-c", look) == ""


def test_image_has_bytecode_for_each_module(image: str) -> None:
    """As many .pyc as .py files: the user of the container cannot write them later."""
    count = "find /opt/answerback/lib -name '*.{}' | wc -l"
    sources, compiled = (
        int(docker("run", "--rm", "--entrypoint", "sh", image, "-c", count.format(ending))) for ending in ("py", "pyc")
    )
    assert compiled >= sources > 100


def test_image_has_its_labels_and_entrypoint(image: str) -> None:
    config = inspect(image)["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["licenses"]) == ("answerback", "test", "Apache-2.0")
    assert (config["User"], config["StopSignal"], config["Entrypoint"]) == ("65532:65532", "SIGTERM", ["answerback"])
    assert config["Healthcheck"]["Test"] == ["CMD", "answerback", "health"]
    assert config.get("Volumes") is None


@pytest.mark.parametrize("cpus", [1, 2])
def test_container_starts_as_many_workers_as_its_cpu_limit(run: Run, cpus: int) -> None:
    status = json.loads(answerback(run(options=("--cpus", str(cpus))), "status", "-o", "json"))
    assert len(status["workers"]) == min(cpus, len(os.sched_getaffinity(0)))


def test_docker_stop_ends_the_container_with_exit_code_0(run: Run) -> None:
    container = run()
    docker("stop", container)
    state = inspect(container)["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


def test_docker_stop_with_a_silent_client_ends_in_order(run: Run) -> None:
    container = run()
    with closing(socket.create_connection(inside(container), timeout=30)) as silent:
        eventually(lambda: _open_connections(container) == 1.0, what="the silent client is counted as open")
        docker("stop", container)  # kills after ten seconds, and the exit code would be 137
        assert silent.recv(1) == b""
    assert inspect(container)["State"]["ExitCode"] == 0


def test_container_serves_a_mounted_configuration(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "echo.yaml"
    file.write_text("listeners: [{name: echo, address: '0.0.0.0:8000', rules: [{do: [echo, close]}]}]\n")
    container = run("serve", "--config", "/config.yaml", options=("--volume", f"{file}:/config.yaml:ro"))
    assert ask(published(container), b"anyone?") == b"anyone?"


def test_container_with_unguarded_admin_api_does_not_start(image: str) -> None:
    said = refused("run", "--rm", image, "serve", "--admin", "0.0.0.0:50051")
    assert "without authentication" in said


def _open_connections(container: str) -> float:
    read = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    text = docker("exec", container, "python", "-c", read)
    series = [line for line in text.splitlines() if line.startswith("answerback_connections_open")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in series)
