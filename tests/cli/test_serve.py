"""`answerback serve`: its options. tests/system tests the server that it starts."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from answerback import app
from answerback.app import ServeOptions
from answerback.cli import main
from answerback.cli.cpus import default_workers


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[ServeOptions]:
    """What `serve` would run with; it runs nothing."""
    runs: list[ServeOptions] = []

    def run(options: ServeOptions) -> int:
        runs.append(options)
        return 0

    monkeypatch.setattr(app, "run", run)
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    return runs


def serve(*args: str, **env: str) -> Any:
    return CliRunner().invoke(main, ["serve", *args], env=env)


def test_serve_without_options_uses_the_defaults(told: list[ServeOptions]) -> None:
    assert serve().exit_code == 0
    assert told == [ServeOptions(workers=default_workers())]


def test_serve_prefers_flags_to_the_environment_and_that_to_the_defaults(told: list[ServeOptions]) -> None:
    env = {"ANSWERBACK_WORKERS": "2", "ANSWERBACK_METRICS": "0.0.0.0:9464", "ANSWERBACK_GRACE": "1m"}
    assert serve("--workers", "3", "--log-format", "json", **env).exit_code == 0
    assert told == [ServeOptions(workers=3, metrics="0.0.0.0:9464", grace=60.0, log_format="json")]


def test_serve_takes_each_option_from_the_environment(told: list[ServeOptions], tmp_path: Path) -> None:
    said = ServeOptions(
        config=Path("a.yaml"),
        watch_config=True,
        workers=2,
        admin="[::1]:1",
        metrics="127.0.0.1:2",
        port_file=Path("ports.json"),
        engine="coroutine",
        drain_delay=0.5,
        grace=4.0,
        log_format="json",
        log_level="debug",
        files=tmp_path,
        state=tmp_path / "state",
        keep_revisions=10,
        keep_age=3600.0,
        admin_cert=Path("tls.crt"),
        admin_key=Path("tls.key"),
        admin_client_ca=Path("ca.crt"),
        token_file=Path("token"),
        read_token_file=Path("read-token"),
        admin_reflection=True,
        admin_insecure=True,
    )
    names = ServeOptions.__dataclass_fields__.keys() - {"config_text"}  # of standard input, and no option
    values = {name: str(getattr(said, name)) for name in names} | {"drain_delay": "500ms", "admin_insecure": "1"}
    values["watch_config"] = "true"
    assert serve(**{f"ANSWERBACK_{name.upper()}": value for name, value in values.items()}).exit_code == 0
    assert told == [said]


@pytest.mark.parametrize(
    "args",
    [
        ("--admin", "here"),
        ("--workers", "0"),
        ("--workers", "65"),
        ("--grace", "1d"),
        ("--files", "none"),
        ("--watch-config",),
        ("--keep-revisions", "0"),
        ("x",),
    ],
)
def test_serve_with_invalid_option_exits_with_2(told: list[ServeOptions], args: tuple[str, ...]) -> None:
    result = serve(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert " serve [OPTIONS]\n" in result.stderr
    assert told == []


def test_serve_exits_with_the_code_of_the_run(told: list[ServeOptions], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "run", lambda _: 1)
    assert (serve().exit_code, told) == (1, [])
