"""Several connections, talks and requests of a journal, explained."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.explain import Moment, Transcript, explain, explain_requests, explain_talk
from answerback.explain.events import Connected, Evaluated, Received, Sent, TurnedTo
from answerback.language.check import check
from answerback.talk.script import parse
from answerback.v1 import config_pb2 as v1
from tests.explain.explaining import BEGUN, asked, only, sent, told

EXAMPLES = Path(__file__).parents[2] / "service/answerback/examples"


def listener(text: str) -> v1.Listener:
    lines = "".join(f"  {line}\n" for line in text.strip().split("\n"))
    document = load(f"listeners:\n- name: it\n  address: '127.0.0.1:8000'\n{lines}")
    assert not document.problems
    return document.config.listeners[0]


def talked(text: str, talk: str) -> tuple[Transcript, str]:
    """What comes of a talk, and where it went otherwise."""
    transcript, failed = explain_talk(listener(text), {}, parse(talk), peer="192.0.2.7", begun=BEGUN)
    return transcript, "" if failed is None else f"{failed.instruction.number}: {failed.message}"


def test_counts_and_shared_variables_go_on_at_the_next_connection() -> None:
    add = "add: {shared: \"'n'\", by: '1', into: n}"
    transcript = told(
        "framing: line, rules: ["
        f"{{name: first, when: PING, times: 1, do: [{add}, send: {{template: 'one ${{connection.number}}'}}]}},"
        f"{{name: again, do: [{add}, send: {{template: '${{vars.n}} ${{connection.number}}'}}]}}]",
        b"PING\n",
        Moment(1, connect=True),
        Moment(1, b"PING\n"),
    )
    assert sent(transcript) == [(0, b"one 1"), (1, b"2 2")]
    assert [event.number for event in only(transcript, Connected)] == [2]
    assert [name for _, name in asked(transcript)] == ["first", "again"]


def test_connect_rule_acts_on_each_connection() -> None:
    transcript = told("rules: [{event: CONNECT, do: [send: hi]}]", Moment(0, connect=True), Moment(0, connect=True))
    assert sent(transcript) == [(0, b"hi")] * 3
    assert [event.event for event in only(transcript, Evaluated)] == ["CONNECT"] * 3


def test_state_of_a_connection_is_its_own() -> None:
    rules = "rules: [{when: a, do: [state: next]}, {in_states: [next], do: [send: in]}, {do: [send: out]}]"
    transcript = told(f"framing: line, {rules}", b"a\nb\n", Moment(0, connect=True), Moment(0, b"b\n"))
    assert sent(transcript) == [(0, b"in"), (0, b"out")]


def test_transcript_says_which_connection_an_event_belongs_to() -> None:
    transcript, failed = talked(
        "framing: line\nrules: [{do: [delay: 1s, echo]}]",
        'connect a\n> "one\\n"\nconnect b\n> "two\\n"\nas a\n< "one"\nas b\n< "two"\n',
    )
    assert failed == ""
    shown = [event for event in transcript.events if isinstance(event, Connected | TurnedTo | Received | Sent)]
    assert [(type(event), getattr(event, "number", None), getattr(event, "data", None)) for event in shown] == [
        (Received, None, b"one\n"),
        (Connected, 2, None),
        (Received, None, b"two\n"),
        (TurnedTo, 1, None),
        (Sent, None, b"one"),
        (TurnedTo, 2, None),
        (Sent, None, b"two"),
        (TurnedTo, 1, None),  # both stay open
        (TurnedTo, 2, None),
    ]


@pytest.mark.parametrize(
    "talk, failed",
    [
        ('> "x\\n"\nwithin 0.9 1.1\n< "x"\n< silence 5\n', ""),
        ('> "x\\n"\nwithin 0 0.5\n< "x"\n', "3: it took 1.000 s, not 0 to 0.5 s"),
        ('> "x\\n"\n< "y"\n', '2: received "x": byte 0 is "x", not "y"'),
        ('> "x\\n"\n< "xy"\n', '2: timed out after 60 s; received "x"'),
        ('> "x\\n"\n< silence 0.5\n< "x"\n', ""),
        ('> "x\\n"\n> eof\n< "x"\n< eof\n', ""),
        ('> "x\\n"\n< "x"\n< reset\n', '3: timed out after 60 s; received ""'),
        ('wait 3\n> "x\\n"\n< /^x$/\n', '3: timed out after 60 s; received "x"'),
        ("refused\n", "1: the connection was accepted"),
    ],
)
def test_talk_is_compared_with_what_is_written(talk: str, failed: str) -> None:
    assert talked("framing: line\nrules: [{do: [delay: 1s, echo]}]", talk)[1] == failed


@pytest.mark.parametrize(
    "mode, talk",
    [
        ("REFUSE", "refused\n"),
        ("STALL", "connect timeout 0.5\n"),
        ("CLOSE", "connect\n< eof\n"),
        ("RESET", "connect\n< reset\n"),
        ("HOLD", 'connect\n> "x"\n< silence 9\n'),
    ],
)
def test_talk_meets_the_accept_mode(mode: str, talk: str) -> None:
    transcript, failed = talked(f"accept: {mode}", talk)
    assert failed == ""
    assert transcript.events[0].type == "accept_mode"


def test_reset_and_close_of_a_rule_are_received() -> None:
    rules = (
        "rules: [{when: r, do: [send: bye, reset]}, {when: h, do: [send: half, half_close]}, {do: [send: x, close]}]"
    )
    talk = '> "r\\n"\n< "bye"\n< reset\nconnect\n> "x\\n"\n< "x"\n< eof\nconnect\n> "h\\n"\n< "half"\n< eof\n'
    assert talked(f"framing: line\n{rules}", talk)[1] == ""


def test_connection_that_the_talk_leaves_receives_its_fin() -> None:
    transcript, failed = talked(
        "rules: [{event: EOF, do: [add: {shared: \"'n'\", by: '1'}]}, {do: [send: {template: '${shared[\"n\"]}'}]}]",
        'connect\nconnect\n> "x"\n< "1"\n',
    )
    assert failed == ""
    assert [event.event for event in only(transcript, Evaluated)] == ["EOF", "REQUEST"]


def test_requests_of_a_journal_are_requests_whatever_the_framing() -> None:
    rules = listener("""
framing: line
rules:
- {name: hello, when: {prefix: HELO}, do: [state: greeted, send: ok]}
- {name: mail, when: MAIL, in_states: [greeted], do: [send: yes]}
- {name: bad, do: [send: no]}
""")
    requests = [b"HELO me\nwith a line end", b"MAIL"]
    transcript = explain_requests(rules, {}, requests, peer="192.0.2.7", begun=datetime.now(UTC))
    assert asked(transcript) == [(requests[0], "hello"), (b"MAIL", "mail")]
    assert [event.framing for event in only(transcript, Evaluated)] == ["line", "line"]
    assert transcript.answered


def test_request_longer_than_a_read_is_one_request() -> None:
    transcript = explain_requests(
        listener("limits: {max_request_bytes: 200000}\nrules: [{do: [send: x]}]"),
        {},
        [b"x" * 100_000],
        peer="::1",
        begun=BEGUN,
    )
    assert [len(event.request) for event in only(transcript, Evaluated)] == [100_000]


def test_request_after_a_close_or_a_receive_comes_on_another_connection() -> None:
    rules = listener(
        "framing: line\nrules: [{when: Q, do: [close]}, {when: R, do: [receive: {framing: line}]}, {do: [echo]}]"
    )
    transcript = explain_requests(rules, {}, [b"Q", b"R", b"x"], peer="::1", begun=BEGUN)
    assert [event.number for event in only(transcript, Connected)] == [2, 3]
    assert sent(transcript)[-1][1] == b"x"


def test_request_waits_for_the_reply_before_it() -> None:
    transcript = explain_requests(
        listener("framing: line\nrules: [{do: [delay: 1s, echo]}]"), {}, [b"a", b"b"], peer="::1", begun=BEGUN
    )
    assert sent(transcript) == [(1, b"a"), (2, b"b")]


# The clock of the day has a part in the first two, and an upstream, which explain does not simulate, in the last.
@pytest.mark.parametrize(
    "talk",
    [each for each in sorted(EXAMPLES.glob("*.talk")) if each.stem not in {"daytime", "qotd", "redis-front"}],
    ids=lambda path: str(path.stem),
)
def test_talk_of_each_example_is_explained_as_it_is_played(talk: Path) -> None:
    config = load(talk.with_suffix(".yaml").read_text()).config
    _, failed = explain_talk(config.listeners[0], {}, parse(talk.read_text()), peer="127.0.0.1", begun=BEGUN)
    assert failed is None, str(failed)


def test_mismatch_of_a_pattern_says_how_far_it_got() -> None:
    transcript = told("framing: line, rules: [{when: {regex: '^GET [0-9]x$'}, do: [echo]}]", b"GET 1y\n")
    assert [each.miss.why for each in only(transcript, Evaluated)[0].passed_over] == [
        'nothing in it matches ^GET [0-9]x$: ^GET [0-9] does up to byte 5, where x should follow, not "y"'
    ]


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "unix:/tmp/it.sock"])
def test_what_is_said_to_a_proxied_listener_comes_behind_the_header_of_the_peer(address: str) -> None:
    document = load(
        f"listeners: [{{name: it, address: '{address}', proxy_protocol: REQUIRED, framing: line, rules: ["
        "{when: {peer: 192.0.2.0/24}, do: [send: {template: '${peer.host} ${peer.port} ${proxy.host}'}]}]}]"
    )
    assert (document.problems, check(document.config, {})) == ((), [])
    transcript = explain(document.config.listeners[0], {}, [Moment(0, b"hi\n")], peer="192.0.2.7", begun=BEGUN)
    proxy = b"" if address.startswith("unix:") else b"127.0.0.1"
    assert sent(transcript) == [(0, b"192.0.2.7 50000 " + proxy)]
