"""`answerback check`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerback.cli import main

GOOD = """\
listeners:
  - name: hello
    address: 127.0.0.1:7000
    rules:
      - do: [send: "Hello, World!", close]
"""
BAD = """\
listeners:
  - name: hello
    adress: 127.0.0.1:7000
    rules:
      - do: [send: {hex: "abc"}]
"""
UNREACHABLE = GOOD + "      - do: [close]\n"


def check(*args: str, stdin: str = "", **env: str) -> Result:
    return CliRunner().invoke(main, ["check", *args], input=stdin, env=env)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answerback.yaml"
    path.write_text(GOOD)
    return path


def test_check_of_valid_file_says_it_can_be_served(file: Path) -> None:
    result = check(str(file))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{file}: valid\n")


def test_check_prints_line_and_column_of_each_problem(file: Path) -> None:
    file.write_text(BAD)
    result = check(str(file))
    assert result.exit_code == 1
    places = [line.removeprefix(f"{file}:").split(": ")[:2] for line in result.stdout.splitlines()]
    assert places == [
        ["2:5", "listeners[0].address"],
        ["3:5", "listeners[0].adress"],
        ["5:26", "listeners[0].rules[0].do[0].send.hex"],
    ]
    assert result.stderr == f"{file}: 3 problems\n"


def test_check_with_only_warnings_exits_with_0(file: Path) -> None:
    file.write_text(UNREACHABLE)
    result = check(str(file))
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{file}:6:9: warning: listeners[0].rules[1]: ")
    assert result.stderr == f"{file}: valid\n"


def test_check_with_json_output_prints_the_problems(file: Path) -> None:
    file.write_text(BAD)
    result = check("-o", "json", str(file))
    data = json.loads(result.stdout)
    assert (result.exit_code, data["file"], data["ok"], len(data["problems"])) == (1, str(file), False, 3)
    assert data["problems"][1] == {
        "severity": "error",
        "path": "listeners[0].adress",
        "message": data["problems"][1]["message"],
        "line": 3,
        "column": 5,
    }
    file.write_text(UNREACHABLE)
    data = json.loads(check("-o", "json", str(file)).stdout)
    assert (data["ok"], [one["severity"] for one in data["problems"]]) == (True, ["warning"])
    assert "ok: true\nproblems:\n  - severity: warning\n" in check("-o", "yaml", str(file)).stdout


def test_check_reads_standard_input() -> None:
    assert check("-", stdin=GOOD).exit_code == 0
    result = check("-", stdin=BAD)
    assert (result.exit_code, result.stdout.splitlines()[1][:12]) == (1, "<stdin>:3:5:")


def test_check_reads_payload_files_beside_the_configuration(file: Path) -> None:
    file.write_text(GOOD.replace('"Hello, World!"', "{file: reply.txt}"))
    result = check(str(file))
    assert result.exit_code == 1
    assert "listeners[0].rules[0].do[0].send.file: cannot read 'reply.txt': No such file or directory" in result.stdout
    (file.parent / "reply.txt").write_text("Hello, World!")
    assert check(str(file)).exit_code == 0


def test_check_rejects_ports_of_the_admin_api_and_metrics(file: Path) -> None:
    file.write_text(GOOD.replace("127.0.0.1:7000", "0.0.0.0:9464"))
    assert "listeners[0].address: " in check(str(file)).stdout
    assert check("--metrics", "127.0.0.1:0", str(file)).exit_code == 0
    assert check("--metrics", "off", str(file)).exit_code == 0
    assert check(str(file), ANSWERBACK_METRICS="127.0.0.1:7001").exit_code == 0


@pytest.mark.parametrize("text", ["", "listeners: [", "\x00", "- a", "listeners: 7", "a: &a [*a]"])
def test_check_of_odd_content_prints_problems_without_traceback(file: Path, text: str) -> None:
    file.write_text(text)
    result = check(str(file))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{file}:")
    assert "Traceback" not in result.output


def test_check_of_file_not_utf_8_prints_the_problem(file: Path) -> None:
    file.write_bytes(b"listeners: \xff")
    assert f"{file}: not UTF-8" in check(str(file)).stdout


@pytest.mark.parametrize("name, why", [("none", "No such file or directory"), (".", "Is a directory")])
def test_check_of_missing_file_fails(tmp_path: Path, name: str, why: str) -> None:
    result = check(str(tmp_path / name))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {tmp_path / name}: {why}\n"


def test_check_bases_no_warning_on_a_rejected_part(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "listeners:\n"
        "  - {name: a, address: '127.0.0.1:1', rules: [{when: {starts_with: A}, do: [close]}, {do: [echo]}]}\n"
        "  - {name: b, address: '127.0.0.1:2', rules: [{do: [close]}, {do: [echo]}]}\n"
    )
    result = CliRunner().invoke(main, ["check", str(file)])
    assert result.exit_code == 1
    assert [line.partition(": ")[2].partition(": ")[0] for line in result.stdout.splitlines()] == [
        "listeners[0].rules[0].when.starts_with",
        "warning",
    ]
    assert "warning: listeners[1].rules[1]: never reached" in result.stdout
