"""`answerback import`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerback.cli import main

WHOLE = """{
  "protocol": "tcp",
  "port": 4545,
  "stubs": [{"predicates": [{"equals": {"data": "PING"}}], "responses": [{"is": {"data": "PONG"}}]}]
}
"""
LACKING = WHOLE.replace('{"is": {"data": "PONG"}}', '{"inject": "function () {}"}')
MADE = """\
listeners:
  - name: tcp-4545
    address: 0.0.0.0:4545
    framing:
      read:
        max_bytes: 65536
    rules:
      - name: stub-0
        when:
          equals:
            text: PING
            ignore_case: true
        do:
          - send:
              text: PONG
    limits:
      idle_timeout: 0
"""


def run(*args: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, list(args), input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "imposters.json"
    path.write_text(WHOLE)
    return path


def test_import_prints_a_configuration_that_check_accepts(file: Path) -> None:
    result = run("import", "mountebank", str(file))
    assert (result.exit_code, result.stdout, result.stderr) == (0, MADE, "")
    assert run("check", "-", stdin=result.stdout).exit_code == 0


def test_import_lists_what_has_no_equivalent_and_exits_with_1(file: Path) -> None:
    file.write_text(LACKING)
    result = run("import", "mountebank", str(file))
    assert result.exit_code == 1
    assert result.stdout == MADE.partition("        do:")[0] + "    limits:\n      idle_timeout: 0\n"
    assert result.stderr == (
        f"{file}:4:85: stubs[0].responses[0].inject: JavaScript has no equivalent: nothing is sent; "
        f"write the reply as a template, `send: {{template: …}}`\n{file}: 1 part without an equivalent\n"
    )


def test_import_writes_to_a_file_on_request(file: Path, tmp_path: Path) -> None:
    for text, code in ((WHOLE, 0), (LACKING, 1)):
        file.write_text(text)
        made = tmp_path / "answerback.yaml"
        result = run("import", "mountebank", str(file), "-o", str(made))
        assert (result.exit_code, result.stdout) == (code, "")
        assert made.read_text() == run("import", "mountebank", str(file)).stdout


def test_import_reads_standard_input() -> None:
    assert run("import", "mountebank", "-", stdin=WHOLE).stdout == MADE
    result = run("import", "mountebank", "-", stdin=LACKING)
    assert result.stderr.startswith("<stdin>:4:85: stubs[0].responses[0].inject: ")


def test_import_without_a_result_exits_with_2(file: Path, tmp_path: Path) -> None:
    file.write_text('{"protocol": "smtp"}')
    result = run("import", "mountebank", str(file), "-o", str(tmp_path / "made.yaml"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: {file}:1:1: no imposter that can be imported: 1:14: protocol: left out: "
        "tcp and http are imported, not 'smtp'\n"
    )
    assert not (tmp_path / "made.yaml").exists()
    file.write_text(WHOLE)
    result = run("import", "mountebank", str(file), "-o", str(tmp_path / "missing" / "made.yaml"))
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {tmp_path}/missing/made.yaml: No such file or directory\n",
    )


def test_import_escapes_what_is_not_printable_in_its_messages(file: Path) -> None:
    file.write_text(json.dumps({"protocol": "tcp", "stubs": [], "a\x1b[31m": 1}))
    result = run("import", "mountebank", str(file))
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout + result.stderr


def test_import_of_an_unknown_tool_is_a_wrong_usage(file: Path) -> None:
    result = run("import", "wiremock", str(file))
    assert (result.exit_code, result.stdout) == (2, "")


def test_import_of_proxies_is_the_same_command(file: Path) -> None:
    proxy = {"name": "redis", "listen": "127.0.0.1:16379", "upstream": "redis:6379"}
    file.write_text(json.dumps([proxy]))
    result = run("import", "toxiproxy", str(file))
    assert (result.exit_code, result.stderr) == (0, "")
    assert run("check", "-", stdin=result.stdout).exit_code == 0
    file.write_text(json.dumps([proxy | {"toxics": [{"type": "teleport"}]}]))
    result = run("import", "toxiproxy", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{file}:1:95: [0].toxics[0].type: Toxiproxy has no toxic 'teleport'")
    assert run("import", "toxiproxy", "-", stdin="{}").exit_code == 2
