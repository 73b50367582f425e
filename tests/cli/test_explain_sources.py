"""What `answerback explain` explains beside what is said: talks, servers, exchanges; and bytes in other forms."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from answerback.document.document import load
from answerback.v1.config_service_pb2 import GetConfigResponse
from answerback.v1.journal_service_pb2 import Body, Exchange, ExchangeFilter, ListExchangesResponse
from tests.cli.test_explain import CONFIG, explain

LINES = r"""
listeners:
- name: other
  address: 127.0.0.1:1
- name: lines
  address: 127.0.0.1:2
  framing: line
  rules:
  - {name: hello, when: {prefix: "HELO "}, do: [state: greeted, send: "ok ${peer.host}\n"]}
  - {name: mail, when: MAIL, in_states: [greeted], do: [send: "yes\n"]}
""".replace('send: "ok ${peer.host}', 'send: {template: "ok ${peer.host}').replace('host}\\n"]', 'host}\\n"}]')


def exchange(number: int, request: bytes, **fields: Any) -> Exchange:
    given = {"id": f"x{number}", "listener": "lines", "connection": "7-1", "peer": "192.0.2.7:4000", **fields}
    body = Body(data=request, size=given.pop("size", len(request)), truncated=given.pop("truncated", False))
    return Exchange(number=number, request=body, **given)


@pytest.fixture
def served(api: Any) -> Any:
    """A server that has LINES."""
    api.answers["GetConfig"] = GetConfigResponse(config=load(LINES).config, revision=4, etag="abc-4")
    return api


def kept(api: Any, exchanges: Sequence[Exchange]) -> None:
    """Let the journal have these exchanges."""

    def listed(_: Any) -> ListExchangesResponse:
        wanted: ExchangeFilter = api.asked[-1].filter
        return ListExchangesResponse(
            exchanges=[
                each for each in exchanges if wanted.id in {"", each.id} and wanted.connection in {"", each.connection}
            ]
        )

    api.answers["ListExchanges"] = listed


# ── What is said ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_next_connection_begins_where_it_is_written() -> None:
    result = explain(
        "--listener", "greeter", "--peer", "192.0.2.7", "--say", "a", "--at", "2", "--connect", "--say", "b"
    )
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "2.000 s   connection 2 begins" in lines
    assert lines.index('0.000 s > "a"') < lines.index("2.000 s   connection 2 begins") < lines.index('2.000 s > "b"')
    assert sum('"\\x1b[31mhi\\n"' in line for line in lines) == 2
    events = json.loads(explain("--connect", "-o", "json").stdout)["events"]
    assert [event for event in events if event["type"] == "connected"] == [
        {"type": "connected", "at": 0.0, "number": 2, "peer": ""}
    ]


FOR_PEERS = r"""listeners:
- name: it
  address: 127.0.0.1:0
  framing: line
  rules:
  - {name: once, times: 1, scope: PEER, do: [send: "hello ${peer.host}"]}
  - {do: [send: again]}
""".replace('send: "hello ${peer.host}"', 'send: {template: "hello ${peer.host}"}')


def test_counts_for_each_peer_are_explained_with_several_addresses() -> None:
    said = ("--peer", "::1", "--say", r"a\n")
    more = ("--connect", "--say", r"a\n", "--connect", "--peer", "192.0.2.7", "--say", r"a\n")
    again = ("--connect", "--peer", "0::1", "--say", r"a\n", "--connect", "--say", r"a\n")
    result = explain(*said, *more, *again, stdin=FOR_PEERS)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert [line.partition("< ")[2] for line in lines if "< " in line] == [
        '"hello ::1"', '"again"', '"hello 192.0.2.7"', '"again"', '"again"'
    ]  # fmt: skip
    assert [line for line in lines if "begins" in line] == [
        "0.000 s   connection 2 begins",
        "0.000 s   connection 3 begins, from 192.0.2.7",
        "0.000 s   connection 4 begins, from ::1",
        "0.000 s   connection 5 begins",
    ]
    assert lines.count("not rules[0] once: has matched 1 time for this peer, and does not match again") == 3


def test_bytes_are_said_in_hex_and_from_a_file_in_the_order_written(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"NG\n\xff")
    result = explain("--say", "P", "--say-hex", "49", "--say-file", str(tmp_path / "bytes"), "--say-hex", "00 ff")
    sent = [line.partition("> ")[2] for line in result.stdout.splitlines() if " > " in line]
    assert sent == ['"P"', '"I"', '"NG\\n\\xff"', '"\\x00\\xff"']
    assert "+PONG" in result.stdout


@pytest.mark.parametrize(
    "words, said",
    [
        (["--say-hex", "0"], "--say-hex: '0' is not hex"),
        (["--say-file", "/nonexistent"], "--say-file: /nonexistent: No such file"),
        (["--talk", "x", "--say", "a"], "give one of: --say"),
        (["--talk", "x", "--exchange", "1"], "give one of: --talk; --exchange"),
        (["--exchange", "1"], "give FILE, or --server and --exchange, not both"),
        (["--server", "127.0.0.1:1"], "give FILE, or --server and --exchange, not both"),
    ],
)
def test_input_that_makes_no_sense_exits_with_2(words: list[str], said: str) -> None:
    result = explain(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_messages_leave_nothing_out_only_with_full() -> None:
    long = "x" * 100
    assert f'"{long}"' not in explain("--say", f"{long}\\n").stdout.replace(f'> "{long}', "")
    assert f'request 1: "{long}"' in explain("--full", "--say", f"{long}\\n").stdout


def test_file_wins_over_the_server_of_the_environment(cli: Any, api: Any, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(CONFIG)
    result = cli("explain", str(tmp_path / "my.yaml"), "--say", "PING\\n")
    assert (result.exit_code, api.asked) == (0, [])


# ── Talks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_talk_that_goes_as_written_exits_with_0(tmp_path: Path) -> None:
    talk = tmp_path / "my.talk"
    talk.write_text('> "PING\\n"\n< "+PONG\\r\\n"\n> "SLOW x\\n"\nwithin 0.2 0.3\n< "SLOW x"\n> "QUIT\\n"\n< eof\n')
    result = explain("--talk", str(talk))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "rules[1] matches" in result.stdout
    data = json.loads(explain("--talk", str(talk), "-o", "json").stdout)
    assert data["talk"] == {"file": str(talk), "ok": True, "line": None, "message": None}


def test_talk_that_goes_otherwise_exits_with_1_and_names_the_line(tmp_path: Path) -> None:
    talk = tmp_path / "my.talk"
    talk.write_text('> "PING\\n"\n< "-PONG"\n')
    result = explain("--talk", str(talk))
    assert result.exit_code == 1
    assert result.stderr == f'{talk}:2: < "-PONG": received "+PONG": byte 0 is "+", not "-"\n'
    assert "rules[0] ping matches" in result.stdout
    assert json.loads(explain("--talk", str(talk), "-o", "json").stdout)["talk"]["line"] == 2


def test_talk_that_is_none_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "my.talk").write_text("say hi\n")
    result = explain("--talk", str(tmp_path / "my.talk"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no such instruction: 'say'" in result.stderr


# ── Servers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_active_configuration_of_a_server_is_explained(cli: Any, served: Any) -> None:
    result = cli("explain", "--listener", "lines", "--say", "HELO me\\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "rules[0] hello matches" in result.stdout
    assert '0.000 s < "ok 127.0.0.1\\n"' in result.stdout
    data = json.loads(cli("explain", "-o", "json").stdout)
    assert (data["file"], data["listener"]) == (f"revision 4 of 127.0.0.1:{served.port}", "other")


def test_server_has_to_be_named_if_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from answerback.cli import main

    monkeypatch.delenv("ANSWERBACK_SERVER", raising=False)
    result = CliRunner().invoke(main, ["explain", "--say", "x"])
    assert result.exit_code == 2
    assert "give FILE, or --server for the active configuration of a server" in result.stderr


def test_payload_file_of_a_server_is_replaced_by_a_text(cli: Any, api: Any) -> None:
    config = load("listeners: [{name: a, address: '127.0.0.1:1', rules: [{do: [send: {file: page.html}]}]}]").config
    api.answers["GetConfig"] = GetConfigResponse(config=config, revision=1)
    result = cli("explain", "--say", "x")
    assert '< "(the content of page.html)"' in result.stdout
    assert "the contents of page.html are on the server only" in result.stderr


# ── Exchanges ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wanted", ["x2", "7-1#2"])
def test_exchange_is_explained_after_those_before_it(cli: Any, served: Any, wanted: str) -> None:
    kept(served, [exchange(1, b"HELO me", rule="hello"), exchange(2, b"MAIL", rule="mail"), exchange(3, b"QUIT")])
    result = cli("explain", "--exchange", wanted)
    assert result.exit_code == 0
    assert result.stderr == (
        "request 2 of connection 7-1 at lines, answered by mail; explained with the active configuration\n"
    )
    assert '0.000 s < "ok 192.0.2.7\\n"' in result.stdout
    assert 'request 2: "MAIL" (line), in state "greeted"' in result.stdout
    assert "rules[1] mail matches" in result.stdout
    assert "QUIT" not in result.stdout
    data = json.loads(cli("explain", "--exchange", wanted, "-o", "json").stdout)
    assert (data["exchange"]["id"], data["exchange"]["rule"], data["listener"]) == ("x2", "mail", "lines")


def test_what_the_journal_does_not_have_is_said(cli: Any, served: Any) -> None:
    kept(served, [exchange(3, b"MAIL", size=900, truncated=True)])
    result = cli("explain", "--exchange", "x3")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "request 3 of connection 7-1 at lines, matched by no rule; explained with the active configuration",
        "2 earlier requests of the connection are not in the journal",
        "the journal has only the beginning of 1 of the requests (`journal.body_bytes`)",
    ]
    assert 'is for the state "greeted"; the connection is in ""' in result.stdout


def test_exchange_that_is_not_kept_has_no_answer(cli: Any, served: Any) -> None:
    kept(served, [exchange(1, b"x")])
    for wanted in ("x9", "7-1#9", "8-1#1"):
        result = cli("explain", "--exchange", wanted)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"the journal has no exchange {wanted}" in result.stderr


def test_exchange_of_a_listener_that_is_gone_has_no_answer(cli: Any, served: Any) -> None:
    kept(served, [exchange(1, b"x", listener="gone")])
    result = cli("explain", "--exchange", "x1")
    assert result.exit_code == 2
    assert "--exchange: no listener 'gone'; known: other, lines" in result.stderr
