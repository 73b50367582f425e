"""`answerback explain`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerback.cli import main

CONFIG = r"""
listeners:
  - name: pong
    address: 127.0.0.1:7000
    framing: line
    rules:
      - name: ping
        when: PING
        do: [send: "+PONG\r\n"]
      - when: {prefix: "SLOW "}
        do: [delay: 250ms, echo]
      - when: QUIT
        do: [close]
  - name: greeter
    address: 127.0.0.1:7001
    rules:
      - event: CONNECT
        do: [send: "\e[31mhi\n"]
      - when: {peer: 192.0.2.0/24}
        do: [echo]
"""


def explain(*args: str, stdin: str = CONFIG) -> Result:
    return CliRunner().invoke(main, ["explain", "-", *args], input=stdin)


def test_explain_prints_the_conversation_with_its_times() -> None:
    result = explain("--say", r"PONG\r\nPING\r\n", "--at", "1.5", "--say", r"SLOW x\n", "--eof")
    assert result.stderr == ""
    assert (
        result.stdout
        == r"""
    0.000 s > "PONG\r\nPING\r\n"
            request 1: "PONG" (line)
              not rules[0] ping: is not "PING": byte 1 is "O", not "I" ← nearest
              not rules[1]: does not begin with "SLOW ": byte 0 is "P", not "S"
              not rules[2]: is not "QUIT": byte 0 is "P", not "Q"
              no rule matches
            request 2: "PING" (line)
              rules[0] ping matches
    0.000 s < "+PONG\r\n"
    1.500 s > "SLOW x\n"
            request 3: "SLOW x" (line)
              not rules[0] ping: is not "PING": byte 0 is "S", not "P"
              rules[1] matches
            waits 0.25 s
    1.500 s > closes its half (FIN)
    1.750 s < "SLOW x"
    1.750 s < closes (FIN): peer_eof
""".removeprefix("\n")
    )
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "said, code",
    [
        (r"PING\r\n", 0),
        (r"PING\r\nQUIT\r\n", 0),
        (r"what?\r\n", 1),
        (r"PING", 1),
        (r"QUIT\r\nPING\r\n", 1),
    ],
)
def test_explain_exits_with_1_if_a_request_matched_no_rule(said: str, code: int) -> None:
    assert explain("--say", said).exit_code == code


def test_explain_with_json_output_prints_the_events() -> None:
    result = explain("--say", r"PIN\xff\r\n", "-o", "json")
    data = json.loads(result.stdout)
    assert (data["file"], data["listener"], data["answered"], data["cut_short"]) == ("<stdin>", "pong", False, False)
    assert [event["type"] for event in data["events"]] == ["received", "evaluated", "open"]
    assert data["events"][0] == {"type": "received", "at": 0.0, "data": r"PIN\xff\r\n"}
    asked = data["events"][1]
    assert (asked["event"], asked["request"], asked["rule"]) == ("REQUEST", r"PIN\xff", None)
    assert asked["passed_over"][0] == {
        "rule": {"name": "ping", "index": 0},
        "miss": {"why": r'is not "PING": byte 3 is "\xff", not "G"', "at": 3, "expected": "G", "got": r"\xff"},
        "nearest": True,
    }
    assert 'data: "PIN\\\\xff\\\\r\\\\n"' in explain("--say", r"PIN\xff\r\n", "-o", "yaml").stdout


def test_explain_accepts_data_of_its_own_json_as_input() -> None:
    data = json.loads(explain("--say", r"PING\r\n\"\x00\n", "-o", "json").stdout)
    again = explain("--say", data["events"][0]["data"], "-o", "json")
    assert json.loads(again.stdout) == data


def test_explain_with_listener_and_peer_options_uses_them() -> None:
    result = explain("--listener", "greeter", "--peer", "192.0.2.7", "--say", "x")
    assert result.exit_code == 0
    assert '    0.000 s < "\\x1b[31mhi\\n"\n' in result.stdout, "what a terminal would obey is escaped"
    assert explain("--listener", "greeter", "--say", "x").exit_code == 1


@pytest.mark.parametrize("accept", ["REFUSE", "STALL", "CLOSE", "RESET", "HOLD"])
def test_explain_of_non_accepting_listener_fails(accept: str) -> None:
    result = explain("--say", "x", stdin=CONFIG.replace("framing: line", f"accept: {accept}"))
    assert result.stdout.splitlines()[0].endswith(f": accept is {accept}")
    assert result.exit_code == 1


def test_explain_without_requests_prints_the_idle_timeout() -> None:
    assert explain("--at", "6m").stdout.splitlines() == ["  300.000 s < closes (FIN): idle_timeout"]
    assert explain().stdout.splitlines() == ["    0.000 s   stays open"]


@pytest.mark.parametrize(
    "args, why",
    [
        (("--say", r"\q"), r"--say: \q (at 0) is no escape"),
        (("--at", "2", "--say", "a", "--at", "1", "--say", "b"), "--at: 1 s is before 2 s"),
        (("--at", "1", "--at", "2", "--say", "b"), "--at: the previous --at has no --say"),
        (("--at", "soon"), "'soon' is not a duration"),
        (("--listener", "pang"), "--listener: no listener 'pang'; known: pong, greeter"),
        (("--peer", "me"), "--peer: 'me' does not appear to be an IPv4 or IPv6 address"),
    ],
)
def test_explain_with_invalid_options_exits_with_2(args: tuple[str, ...], why: str) -> None:
    result = explain(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr


def test_explain_of_invalid_file_prints_all_problems(tmp_path: Path) -> None:
    result = explain(stdin=CONFIG.replace("QUIT", "{hex: a}").replace("echo", "ecko"))
    assert (result.exit_code, result.stdout) == (2, "")
    *problems, verdict = result.stderr.splitlines()
    assert [problem.split(":")[0] for problem in problems] == ["<stdin>"] * 3
    assert verdict == "Error: <stdin>: 3 problems; nothing to explain"
    missing = CliRunner().invoke(main, ["explain", str(tmp_path / "none")])
    assert (missing.exit_code, missing.stderr) == (2, f"Error: {tmp_path / 'none'}: No such file or directory\n")
    nobody = explain(stdin="listeners: []")
    assert (nobody.exit_code, "it has no listener" in nobody.stderr) == (2, True)


def test_explain_reads_payload_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "reply.txt").write_text("from a file")
    (tmp_path / "it.yaml").write_text(CONFIG.replace(r'"+PONG\r\n"', "{file: reply.txt}"))
    result = CliRunner().invoke(main, ["explain", str(tmp_path / "it.yaml"), "--say", r"PING\n"])
    assert '    0.000 s < "from a file"\n' in result.stdout


def test_explain_of_endless_events_stops_after_10000() -> None:
    config = """listeners: [{name: a, address: "127.0.0.1:7000", limits: {idle_timeout: 1ms},
        rules: [{event: IDLE, do: [send: z]}]}]"""
    result = explain("--at", "1h", stdin=config)
    assert result.stdout.splitlines()[-1] == "            … output stops after 10000 events"


def test_explain_help_states_its_exit_codes() -> None:
    result = CliRunner().invoke(main, ["explain", "--help"])
    assert result.exit_code == 0
    assert "Exit 0 if rules matched everything that the client sent" in result.stdout


def test_explain_prints_a_line_for_each_event() -> None:
    config = r"""
listeners:
  - name: store
    address: 127.0.0.1:7000
    framing: line
    faults: [{name: late, times: 1, latency: 1s}]
    rules:
      - when: put
        do: [receive: {framing: {fixed: {size: 2}}, into: body}, state: full, framing: {delimiter: ";"}]
      - when: hold
        do: [hang]
      - do: [echo, half_close]
    limits: {lifetime: 1m}
"""
    result = explain("--say", r"put\nabx;hold", stdin=config)
    assert result.stdout.splitlines()[3:] == [
        "            receives one more frame (fixed, 2 bytes) into vars.body",
        '            sets vars.body to "ab"',
        '            enters state "full"',
        '            reads following requests with framing delimiter ";"',
        '            request 2: "x" (delimiter ";"), in state "full"',
        '              not rules[0]: is not "put": byte 0 is "x", not "p"',
        '              not rules[1]: is not "hold": byte 0 is "x", not "h"',
        "              rules[2] matches",
        "            faults[0] late applies: latency",
        "            waits 1 s",
        '    1.000 s < "x"',
        '    1.000 s > "hold": discarded, the connection is closed',
        "    1.000 s < closes its half (FIN), still reads",
        '    1.000 s   stays open, in state "full"',
    ]
    ignoring = config.replace("do: [hang]", "do: [hang: {ignore_fin: true}]")
    assert (
        "            hangs: sends nothing more and does not close even when the client closes its half (FIN)"
        in explain("--say", r"hold\n", stdin=ignoring).stdout.splitlines()
    )
    held = explain("--say", r"hold\n", stdin=config).stdout.splitlines()
    assert held[-2:] == [
        "            hangs: sends nothing more and does not close",
        "   60.000 s < closes (FIN): max_lifetime",
    ]


def test_explain_of_a_listener_that_relays_says_so() -> None:
    config = "listeners: [{name: redis, address: '127.0.0.1:7000', upstream: 'redis.example:6379'}]"
    result = explain("--say", "PING", stdin=config)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "Error: <stdin>: the listener redis relays to redis.example:6379: bytes, FIN and RST pass unchanged in both "
        "directions, so there is no reply to explain\n"
    )


FRAMED = """listeners:
  - name: redis
    address: 127.0.0.1:7000
    framing: line
    upstream: {address: "redis.example:6379", framing: line}
    rules:
      - {when: PING, do: [send: "+PONG\\r\\n"]}
      - {name: other, event: REPLY, when: bad, do: [send: {template: "${reply} to ${request}\\n"}]}
"""


def test_explain_shows_what_rules_do_with_replies() -> None:
    result = explain("--say", r"GET a\nPING\nGET b\n", "--at", "1", "--reply", r"bad\n", stdin=FRAMED)
    assert result.stdout.splitlines() == [
        r'    0.000 s > "GET a\nPING\nGET b\n"',
        '            request 1: "GET a" (line)',
        '              not rules[0]: is not "PING": byte 0 is "G", not "P"',
        "              no rule matches",
        r'    0.000 s   forwarded to the upstream: "GET a\n"',
        '            request 2: "PING" (line)',
        "              rules[0] matches",
        r'    1.000 s   the upstream sends: "bad\n"',
        '            reply: "bad"',
        "              rules[1] other matches",
        r'    1.000 s < "bad to GET a\n+PONG\r\n"',
        '            request 3: "GET b" (line)',
        '              not rules[0]: is not "PING": byte 0 is "G", not "P"',
        "              no rule matches",
        r'    1.000 s   forwarded to the upstream: "GET b\n"',
        "    1.000 s   the upstream owes 1 reply",
        "    1.000 s   stays open",
    ]


def test_explain_with_a_reply_needs_an_upstream_whose_replies_are_framed() -> None:
    result = explain("--say", "PING", "--reply", "x", stdin="listeners: [{name: it, address: '127.0.0.1:7000'}]")
    assert result.exit_code == 2
    assert "--reply: the listener has no upstream.framing" in result.stderr
