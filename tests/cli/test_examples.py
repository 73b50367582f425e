"""`answerback examples`."""

import json
from importlib import resources

import pytest
from click.testing import CliRunner, Result

from answerback.cli import main
from answerback.document.document import load
from answerback.talk.script import parse


def examples(*args: str) -> Result:
    return CliRunner().invoke(main, ["examples", *args])


NAMES = [each["name"] for each in json.loads(examples("-o", "json").stdout)["examples"]]


def test_examples_are_listed_with_their_purpose() -> None:
    result = examples()
    assert (result.exit_code, result.stderr) == (0, "")
    heading, *rows = result.stdout.splitlines()
    assert heading.split() == ["NAME", "PURPOSE"]
    assert [row.split()[0] for row in rows] == sorted(NAMES)
    assert next(row for row in rows if row.startswith("echo ")).split(maxsplit=1)[1].startswith("Echo (RFC 862): ")


def test_examples_include_common_services_and_protocols() -> None:
    small_services = {"echo", "discard", "chargen", "daytime", "qotd"}
    protocols = {"http", "redis", "redis-ping", "smtp", "pop3", "memcached", "modbus", "postgres", "agent-check"}
    assert small_services | protocols | {"hello", "tarpit", "flaky", "slow"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_example_is_printed_unchanged(name: str) -> None:
    result = examples(name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == resources.files("answerback").joinpath("examples", f"{name}.yaml").read_text("utf-8")
    assert load(result.stdout).problems == ()


def test_examples_with_json_output_prints_one_example() -> None:
    data = json.loads(examples("echo", "-o", "json").stdout)
    assert data["name"] == "echo"
    assert data["configuration"].startswith(f"# {data['purpose']}\n")
    assert "examples:\n  - name: agent-check\n" in examples("-o", "yaml").stdout


@pytest.mark.parametrize("name", ["nothing", "../../../../etc/passwd", ""])
def test_examples_with_unknown_name_exits_with_2(name: str) -> None:
    result = examples(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"no example {name!r}; run `answerback examples` for the list" in result.stderr


@pytest.mark.parametrize("name, similar", [("echo.yaml", "echo"), ("redis-pin", "redis-ping or redis or redis-front")])
def test_examples_with_similar_name_suggests_the_right_one(name: str, similar: str) -> None:
    result = examples(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"no example {name!r}; did you mean {similar}?" in result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_examples_with_talk_prints_the_talk_of_the_example(name: str) -> None:
    result = examples(name, "--talk")
    assert (result.exit_code, result.stderr) == (0, "")
    assert parse(result.stdout)


def test_examples_with_talk_needs_a_name() -> None:
    result = examples("--talk")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--talk needs the NAME of an example" in result.stderr
