"""A standard error that is not read does not stop the server."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from answerback.cli.client import connected
from answerback.cli.health import _asked
from answerback.language.problems import InvalidConfig
from answerback.v1.config_pb2 import Config, Listener
from answerback.v1.config_service_pb2 import UpdateConfigRequest
from tests.ports import free_port
from tests.system.conftest import ANSWERBACK, ECHO
from tests.waiting import eventually

pytestmark = pytest.mark.long

PIPE_BYTES = 64 << 10
COMMENT = "x" * 1000
REFUSED = UpdateConfigRequest(config=Config(listeners=[Listener(name="nowhere")]), comment=COMMENT)


def test_unread_log_does_not_block_the_server(tmp_path: Path) -> None:
    config = tmp_path / "answerback.yaml"
    config.write_text(ECHO)
    admin, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    given = ("--config", str(config), "--admin", admin, "--metrics", metrics, "--workers", "1", "--log-format", "json")
    with subprocess.Popen([*ANSWERBACK, "serve", *given], stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: ready(metrics), what="ready")
            for _ in range(2 * PIPE_BYTES // len(COMMENT)):
                refuse(admin)
            assert ready(metrics)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        said = process.stderr.read()
    assert len(said) >= PIPE_BYTES * 0.9  # all bytes that a reader could have read
    assert json.loads(said.splitlines()[-2])["message"] == "a change was rejected"


def ready(metrics: str) -> bool:
    return _asked(metrics, 10.0)[0]


def refuse(admin: str) -> None:
    with connected(admin, 20.0) as client, pytest.raises(InvalidConfig):
        client.update_config(REFUSED)
