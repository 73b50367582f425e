"""bench.tls: its configurations, and a run of this part."""

import json
import shutil
from pathlib import Path

import pytest

import bench.__main__ as bench
from answerback.document.document import load
from answerback.language.check import check
from bench import tls
from bench.proxies import filled
from bench.server import CouldNotRun


def test_configuration_of_answerback_is_valid() -> None:
    ports = {name: 8443 + number for number, name in enumerate(("PORT", "IDLE", "KEPT", "RELAY", "PLAIN", "UPSTREAM"))}
    loaded = load(filled(tls.ANSWERBACK, CLEAR="127.0.0.1:8442", BUILD="/tmp", **ports))
    assert (*loaded.problems, *check(loaded.config, {})) == ()
    assert [listener.name for listener in loaded.config.listeners] == ["clear", "tls", "kept", "relay", "idle", "plain"]


def test_certificate_needs_openssl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CouldNotRun, match="openssl is not installed"):
        tls.make_certificate(tmp_path)


@pytest.mark.long
@pytest.mark.skipif(
    not (shutil.which("openssl") and Path("/usr/sbin/nginx").exists()), reason="needs nginx and openssl"
)
def test_tls_benchmark_runs_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    assert bench.main(["--smoke", "--parts", "tls", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found["missing"] == []
    assert [each["engine"] for each in found["tls"]] == ["callback", "coroutine"]
    measured = ("full", "full_floor", "resumed", "resumed_floor", "kept", "kept_ratio", "relayed_ratio")
    assert all(each[name]["median"] > 0 for each in found["tls"] for name in measured)
    assert all(each["renewed"]["lost"] == 0 for each in found["tls"])
    assert "callback, TLS 1.3, a full handshake: " in capsys.readouterr().out
