"""The Compose project on a real engine: healthy, scraped by Prometheus, and controlled with the token."""

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import private
from tests.container.docker import ask, compose, grpcurl, inspect
from tests.waiting import eventually

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

TOKEN = "0123456789abcdef" * 4
GET = "answerback.v1.ConfigService/GetConfig"
UP = ("answerback", "prometheus")  # Grafana is in no registry that is reached here: tests/deploy reads what it is given


@pytest.fixture
def composed(image: str, prometheus: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The Compose project, up, on ports of the engine's choice; gone afterwards."""
    environment = {
        **os.environ,
        "ANSWERBACK_IMAGE": image,
        "ANSWERBACK_TOKEN": str(private(tmp_path / "token", TOKEN)),
        "ANSWERBACK_PORT": "0",
        "ANSWERBACK_ADMIN_PORT": "0",
        "PROMETHEUS_PORT": "0",
        "COMPOSE_PROJECT_NAME": f"answerback-test-{os.getpid()}",
    }
    assert prometheus in compose("config", "--images", env=environment)
    try:
        compose("up", "--detach", "--no-build", "--wait", *UP, env=environment)
        yield environment
    finally:
        compose("down", "--volumes", "--timeout", "10", env=environment)


def test_compose_is_scraped_by_prometheus_and_changed_with_the_secret(composed: dict[str, str]) -> None:
    host, port = compose("port", "answerback", "8000", env=composed).strip().rsplit(":", 1)
    assert [ask((host, int(port))) for _ in range(3)] == [b"Hello, World!"] * 3
    where = compose("port", "prometheus", "9090", env=composed).strip()
    eventually(lambda: _value(where, 'up{job="answerback"}') == 1, within=60, what="the target is up")
    for counted in ("connections_accepted", "requests"):
        query = f'sum(answerback_{counted}_total{{listener="hello"}})'
        eventually(lambda query=query: _value(where, query) == 3, within=60, what=f"{query} is 3")  # type: ignore[misc]
    groups = _get(where, "rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    assert "AnswerbackDown" in {rule["name"] for group in groups for rule in group["rules"]}
    status = json.loads(compose("exec", "--no-TTY", "answerback", "answerback", "status", "-o", "json", env=composed))
    assert status["listeners"]
    admin = compose("port", "answerback", "50051", env=composed).strip()
    assert "hello" in grpcurl("-plaintext", "-H", f"authorization: Bearer {TOKEN}", admin, GET)
    with pytest.raises(AssertionError, match="Unauthenticated"):
        grpcurl("-plaintext", admin, GET)
    compose("stop", env=composed)
    container = compose("ps", "--all", "--quiet", "answerback", env=composed).strip()
    assert inspect(container)["State"]["ExitCode"] == 0


def _value(prometheus: str, query: str) -> float | None:
    found: list[Any] = _get(prometheus, f"query?{urllib.parse.urlencode({'query': query})}")["result"]
    return float(found[0]["value"][1]) if found else None


def _get(prometheus: str, what: str) -> Any:
    with urllib.request.urlopen(f"http://{prometheus}/api/v1/{what}") as answer:
        return json.load(answer)["data"]
