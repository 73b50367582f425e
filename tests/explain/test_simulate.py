"""A simulated conversation: the actions of the real session, and the reasons."""

import pytest

from answerback.core.actions import CloseReason
from answerback.core.matching import Mismatch
from answerback.core.session.reader import READ_AHEAD
from answerback.document.document import load
from answerback.explain import Moment, explain
from answerback.explain import events as e
from answerback.explain.names import FaultName, PassedOver, RuleName
from answerback.explain.transcript import ERRORS, MOST_EVENTS, Transcript
from answerback.explain.world import READ_BYTES
from tests.explain.explaining import BEGUN, asked, misses, only, sent, told

PING = r"""framing: line, rules: [
    {name: ping, when: PING, do: [send: "+PONG\r\n"]},
    {when: {prefix: "ECHO "}, do: [echo]},
    {name: quit, when: QUIT, do: [send: "+OK\r\n", close]}]"""


def test_explained_request_is_cut_matched_and_answered() -> None:
    assert told(PING, b"PING\r\nECHO a\n").events == [
        e.Received(0, b"PING\r\nECHO a\n"),
        e.Evaluated(0, "REQUEST", 1, b"PING", "line", "", RuleName("ping", 0)),
        e.Sent(0, b"+PONG\r\n"),
        e.Evaluated(
            0,
            "REQUEST",
            2,
            b"ECHO a",
            "line",
            "",
            RuleName("rules[1]", 1),
            (PassedOver(RuleName("ping", 0), Mismatch('is not "PING": byte 0 is "E", not "P"', 0, b"P", b"E")),),
        ),
        e.Sent(0, b"ECHO a"),
        e.Open(0, ""),
    ]


def test_explained_request_without_matching_rule_marks_the_nearest_miss() -> None:
    transcript = told(PING, b"QUIET\r\n")
    assert asked(transcript) == [(b"QUIET", None)]
    assert misses(transcript) == [
        'rules[0] ping: is not "PING": byte 0 is "Q", not "P"',
        'rules[1]: does not begin with "ECHO ": byte 0 is "Q", not "E"',
        'rules[2] quit: is not "QUIT": byte 3 is "E", not "T"',
    ]
    assert [each.nearest for each in only(transcript, e.Evaluated)[0].passed_over] == [False, False, True]
    assert not transcript.answered


def test_explained_incomplete_request_is_left_open() -> None:
    transcript = told(PING, b"PING\r\nPIN")
    assert transcript.events[-2:] == [e.Incomplete(0, b"PIN", "line", "the line has not ended with LF"), e.Open(0, "")]
    assert not transcript.answered


def test_explained_bytes_behind_a_close_are_discarded() -> None:
    transcript = told(PING, b"QUIT\nPING\n", Moment(1, b"PING\n"))
    assert transcript.events[-4:] == [
        e.Sent(0, b"+OK\r\n"),
        e.Discarded(0, b"PING\n"),
        e.Closed(0, reset=False, reason="server_close"),
        e.Discarded(1, b"PING\n"),
    ]
    assert not transcript.answered
    assert told(PING, b"QUIT\n").answered


def test_simulated_delays_take_no_real_time() -> None:
    slow = r"framing: line, rules: [{do: [delay: 300ms, send: a, delay: 1h, send: b]}]"
    transcript = told(slow, b"\n", Moment(0.1, b"\n"))
    assert sent(transcript) == [(0.3, b"a"), (3600.3, b"b"), (3600.6, b"a"), (7200.6, b"b")]
    assert [event.seconds for event in only(transcript, e.Waits)] == [0.3, 3600, 0.3, 3600]
    assert transcript.answered


def test_dribbled_pieces_have_their_times() -> None:
    transcript = told("rules: [{do: [dribble: {payload: abcde, chunks: 2, gap: 1s}]}]", b"x")
    assert sent(transcript) == [(0, b"abc"), (1, b"de")]


def test_replies_are_listed_between_their_requests() -> None:
    rules = "rules: [{when: a, do: [delay: 1s, send: A]}, {do: [send: B]}]"
    transcript = told(f"framing: line, {rules}", b"a\nb\na\n")
    kinds = [
        (event.request if isinstance(event, e.Evaluated) else event.data)
        for event in transcript.events
        if isinstance(event, e.Evaluated | e.Sent)
    ]
    assert kinds == [b"a", b"A", b"b", b"B", b"a", b"A"]


def test_changes_of_state_and_variables_are_listed() -> None:
    rules = """rules: [
        {in_states: [in], do: [send: {template: "${vars.name}"}]},
        {do: [set: {name: name, value: {template: "${request}"}}, state: in]}]"""
    transcript = told(f"framing: line, {rules}", b"ada\nx\n")
    assert transcript.events[2:4] == [e.VariableSet(0, "name", b"ada"), e.Enters(0, "in")]
    assert misses(transcript) == ['rules[0]: is for the state "in"; the connection is in ""']
    assert sent(transcript) == [(0, b"ada")]
    assert transcript.events[-1] == e.Open(0, "in")


def test_change_of_framing_applies_to_the_following_requests() -> None:
    rules = r"""rules: [
        {when: data, do: [framing: {delimiter: "."}]},
        {when: five, do: [framing: {fixed: {size_from: "5"}}]},
        {when: line, do: [framing: line]},
        {do: [send: {template: "<${request}>"}]}]"""
    transcript = told(f"framing: line, {rules}", b"five\n12345data\na\nb.line.c\n")
    framings = [event.framing for event in only(transcript, e.Evaluated)]
    assert framings == ["line", "fixed, 5 bytes", "line", 'delimiter "."', 'delimiter "."', "line"]
    assert [(event.framing, event.once) for event in only(transcript, e.FramingChanged)] == [
        ("fixed, 5 bytes", True),
        ('delimiter "."', False),
        ("line", False),
    ]
    assert b"".join(data for _, data in sent(transcript)) == b"<12345><a\nb><c>"


def test_explained_receive_step_takes_a_body() -> None:
    rules = 'rules: [{do: [receive: {framing: {fixed: {size: 5}}, into: body}, send: {template: "${vars.body}"}]}]'
    transcript = told(f"framing: line, {rules}", b"put\n123", Moment(1, b"45"))
    assert only(transcript, e.Takes, e.VariableSet) == [
        e.Takes(0, "fixed, 5 bytes", "body"),
        e.VariableSet(1, "body", b"12345"),
    ]
    assert sent(transcript) == [(1, b"12345")]
    waiting = told(f"framing: line, {rules}", b"put\n123")
    assert waiting.events[-2] == e.Incomplete(0, b"123", "fixed, 5 bytes", "at least 2 more bytes")


def test_rule_at_its_maximum_in_a_window_is_skipped_until_the_window_is_over() -> None:
    rules = "rules: [{times: 1, per: 10s, do: [send: '1']}, {do: [send: '2']}]"
    transcript = told(f"framing: line, {rules}", Moment(1, b"a\n"), Moment(10.5, b"a\n"), Moment(11, b"a\n"))
    assert sent(transcript) == [(1, b"1"), (10.5, b"2"), (11, b"1")]
    assert misses(transcript, 1) == [
        "rules[0]: has matched 1 time before within 10 s, and does not match again until they are over"
    ]


def test_unexpected_frame_is_explained_by_the_byte_that_differs() -> None:
    rules = "rules: [{do: [receive: {framing: line, expect: secret}, send: in]}]"
    transcript = told(f"framing: line, {rules}", b"ada\nsecrEt\nls\n")
    (unexpected,) = only(transcript, e.NotExpected)
    assert (unexpected.data, unexpected.miss.at) == (b"secrEt", 4)
    assert unexpected.miss.why == 'is not "secret": byte 4 is "E", not "e"'
    assert [type(event) for event in transcript.events[-3:]] == [e.NotExpected, e.Discarded, e.Closed]
    assert transcript.events[-1] == e.Closed(0, reset=False, reason="unexpected")
    assert not transcript.answered


def test_rule_at_its_maximum_of_matches_is_skipped_with_the_reason() -> None:
    rules = """rules: [
        {when: a, times: 2, do: [send: "1"]},
        {when: a, scope: CONNECTION, replies: {of: [[send: "2"]], then: NEXT_RULE}},
        {do: [send: "3"]}]"""
    transcript = told(f"framing: line, {rules}", b"a\n" * 4)
    assert b"".join(data for _, data in sent(transcript)) == b"1123"
    assert misses(transcript, 3) == [
        "rules[0]: has matched 2 times before, and does not match again",
        "rules[1]: has matched 1 time on this connection, and does not match again",
    ]


def test_events_are_answered_by_their_own_rules() -> None:
    rules = """limits: {idle_timeout: 2s}, rules: [
        {event: CONNECT, do: [send: hi]},
        {event: IDLE, times: 1, do: [send: zzz]},
        {event: EOF, do: [send: bye]},
        {do: [send: got]}]"""
    transcript = told(rules, Moment(3), Moment(3, b"x"), Moment(3.5, eof=True))
    assert [(event.at, event.event) for event in only(transcript, e.Evaluated)] == [
        (0, "CONNECT"),
        (2, "IDLE"),
        (3, "REQUEST"),
        (3.5, "EOF"),
    ]
    assert sent(transcript) == [(0, b"hi"), (2, b"zzz"), (3, b"got"), (3.5, b"bye")]
    assert transcript.events[-1] == e.Closed(3.5, reset=False, reason="peer_eof")


def test_request_ended_by_eof_is_answered_before_the_eof_rule() -> None:
    rules = "framing: until_eof, rules: [{event: EOF, do: [send: bye]}, {do: [send: got]}]"
    transcript = told(rules, b"all of it", Moment(0, eof=True))
    kinds = [type(event) for event in transcript.events]
    assert kinds == [e.Received, e.ReceivedEof, e.Evaluated, e.Sent, e.Evaluated, e.Sent, e.Closed]
    assert sent(transcript) == [(0, b"got"), (0, b"bye")]
    assert transcript.answered


@pytest.mark.parametrize(
    "listener, said, reason, left",
    [
        ("framing: http, rules: []", b"GET / HTTP/1.1\nContent-Length: x\n\n", "malformed_request", "is not a number"),
        ("framing: {length_prefix: {width: 1, adjust: -1}}", b"\0", "malformed_request", "shorter than its prefix"),
        ("framing: websocket, rules: []", b"\x83", "malformed_request", "the opcode 3 is reserved"),
        (
            "framing: line, limits: {max_request_bytes: 4}, rules: [{do: [echo]}]",
            b"1\n12345\n",
            "request_too_large",
            ", 4",
        ),
        ("framing: line, limits: {max_request_bytes: 4}", b"123456", "request_too_large", "max_request_bytes, 4"),
    ],
)
def test_close_has_its_reason_and_the_incomplete_data(listener: str, said: bytes, reason: str, left: str) -> None:
    transcript = told(listener, said)
    closed = transcript.events[-1]
    assert closed == e.Closed(0, reset=False, reason=reason)
    (rest,) = only(transcript, e.Incomplete)
    assert rest.why.endswith(left)
    assert said.endswith(rest.data)
    assert not transcript.answered


def test_explanation_ends_when_only_timeouts_are_left() -> None:
    idle = told("framing: {idle: {gap: 1s}}, rules: [{do: [echo]}]", b"a", Moment(3))
    assert (sent(idle), idle.events[-1]) == ([(1, b"a")], e.Open(3, ""))
    half = told("framing: line, rules: [{do: [echo]}]", b"a\nhalf", Moment(3))
    assert half.events[-2:] == [e.Incomplete(3, b"half", "line", "the line has not ended with LF"), e.Open(3, "")]


def test_request_behind_a_received_frame_is_incomplete_under_the_listeners_framing() -> None:
    rules = "framing: line, rules: [{when: get, do: [receive: {framing: {fixed: {size: 2}}, into: x}]}]"
    transcript = told(rules, b"get\nab", b"half", Moment(1, eof=True))
    assert only(transcript, e.VariableSet) == [e.VariableSet(0, "x", b"ab")]
    (rest,) = only(transcript, e.Incomplete)
    assert (rest.data, rest.framing) == (b"half", "line")


def test_received_frame_that_is_incomplete_is_reported_under_its_own_framing() -> None:
    rules = "framing: line, rules: [{when: get, do: [receive: {framing: {fixed: {size: 3}}, into: x}]}]"
    (rest,) = only(told(rules, b"get\nab", Moment(1, eof=True)), e.Incomplete)
    assert (rest.data, rest.framing) == (b"ab", "fixed, 3 bytes")


def test_incomplete_request_is_closed_by_request_timeout() -> None:
    transcript = told("framing: line, limits: {request_timeout: 2s}", b"PIN", Moment(5))
    assert transcript.events[1:] == [
        e.Incomplete(2, b"PIN", "line", "the line has not ended with LF"),
        e.Closed(2, reset=False, reason="request_timeout"),
    ]
    assert not transcript.answered


def test_eof_within_a_request_lists_the_incomplete_data() -> None:
    transcript = told("framing: {fixed: {size: 4}}", b"123", Moment(1, eof=True))
    assert transcript.events[2:] == [
        e.Incomplete(1, b"123", "fixed, 4 bytes", "the peer closed its half; at least 1 more byte"),
        e.Closed(1, reset=False, reason="peer_eof"),
    ]
    assert not transcript.answered


def test_explained_bytes_queued_in_the_kernel_at_a_close_are_discarded() -> None:
    said = b"x\n" + b"y" * (READ_AHEAD + READ_BYTES)
    transcript = told("framing: line, rules: [{do: [delay: 1s, close]}]", said)
    unheard = b"".join(event.data for event in only(transcript, e.Discarded))
    assert unheard == said[2:]
    assert not transcript.answered


def test_each_way_to_end_is_listed() -> None:
    assert told("rules: [{do: [send: a, reset]}]", b"x").events[-1] == e.Closed(0, reset=True, reason="server_reset")
    held = told("limits: {lifetime: 10s}, rules: [{do: [hang]}]", b"x")
    assert held.events[-2:] == [e.Holds(0), e.Closed(10, reset=False, reason="max_lifetime")]
    gone = told("rules: [{do: [hang]}]", b"x", Moment(2, eof=True))
    assert gone.events[-3:] == [e.Holds(0), e.ReceivedEof(2), e.Closed(2, reset=False, reason="peer_gave_up")]
    unread = told("rules: [{do: [hang]}]", b"x", Moment(1, b"y" * (200 << 10)), Moment(2, eof=True))
    assert unread.events[-2] == e.Closed(2, reset=False, reason="peer_gave_up")
    assert isinstance(unread.events[-1], e.Discarded)
    stays = told("limits: {lifetime: 9s}, rules: [{do: [hang: {ignore_fin: true}]}]", b"x", Moment(2, eof=True))
    assert stays.events[-3:] == [
        e.Holds(0, ignore_fin=True),
        e.ReceivedEof(2),
        e.Closed(9, reset=False, reason="max_lifetime"),
    ]
    half = told("rules: [{do: [send: a, half_close]}]", b"x", Moment(1, b"y"))
    assert half.events[-4:] == [e.Sent(0, b"a"), e.HalfCloses(0), e.Discarded(1, b"y"), e.Open(1, "")]
    silent = told("limits: {idle_timeout: 3s}", Moment(3))
    assert silent.events == [e.Closed(3, reset=False, reason="idle_timeout")]
    assert silent.answered


def test_explained_request_of_idle_framing_ends_at_the_gap() -> None:
    transcript = told("framing: {idle: {gap: 50ms}}, rules: [{do: [echo]}]", b"ab", Moment(0.02, b"c"))
    assert sent(transcript) == [(0.07, b"abc")]


def test_peer_and_clock_are_those_given() -> None:
    rules = """rules: [{when: {peer: 10.0.0.0/8}, do: [close]},
        {do: [delay: 1s, send: {template: "${peer.host} ${local.port} ${now('%H:%M:%S')}"}]}]"""
    transcript = told(rules, b"x", peer="192.0.2.9")
    assert misses(transcript) == ["rules[0]: comes from 192.0.2.9, not from 10.0.0.0/8"]
    assert sent(transcript) == [(1, b"192.0.2.9 8000 03:04:06")]


def test_explained_client_of_unix_socket_has_no_address() -> None:
    rules = 'rules: [{when: {peer: 0.0.0.0/0}, do: [close]}, {do: [send: {template: "<${peer.host}>${local.port}"}]}]'
    document = load(f"listeners: [{{name: it, address: 'unix:/run/it:80', {rules}}}]")
    transcript = explain(document.config.listeners[0], {}, [Moment(0, b"x")], peer="192.0.2.7", begun=BEGUN)
    assert misses(transcript) == ["rules[0]: comes from a Unix socket, not from 0.0.0.0/0"]
    assert sent(transcript) == [(0, b"<>0")]


@pytest.mark.parametrize("accept", ["REFUSE", "STALL", "CLOSE", "RESET", "HOLD"])
def test_explained_client_of_non_accepting_listener_is_discarded(accept: str) -> None:
    transcript = told(f"accept: {accept}, rules: [{{event: CONNECT, do: [send: hi]}}]", Moment(1, b"x"))
    assert transcript.events == [e.AcceptMode(0, accept), e.Discarded(1, b"x")]
    assert not transcript.answered


def test_explained_random_replies_follow_the_seed() -> None:
    rules = "rules: [{replies: {of: [[send: a], [send: b]], then: RANDOM}}]"
    one, two = (told(f"framing: line, {rules}", b"\n" * 50) for _ in range(2))
    assert one == two
    other = told(f"framing: line, random_seed: 7, {rules}", b"\n" * 50)
    assert sent(other) != sent(one)
    assert {data for _, data in sent(one)} == {b"a", b"b"}


def test_many_rules_select_the_same_as_one_by_one() -> None:
    """Tables and sets of patterns find what trying one after another would."""
    rules = ",".join(f"{{name: e{n}, when: 'k{n}'}}, {{name: p{n}, when: {{regex: '^x{n}$'}}}}" for n in range(30))
    transcript = told(f"framing: line, rules: [{rules}]", b"k7\nx29\nk30\n")
    assert asked(transcript) == [(b"k7", "e7"), (b"x29", "p29"), (b"k30", None)]
    assert [len(misses(transcript, n)) for n in range(3)] == [14, 59, 60]


def test_transcript_is_cut_at_the_maximum_of_events() -> None:
    transcript = told("rules: [{do: [dribble: {payload: {template: '${random(60000)}'}, size: 1, gap: 1ms}]}]", b"x")
    assert transcript.cut_short
    assert len(transcript.events) == MOST_EVENTS


@pytest.mark.parametrize("reason", ERRORS)
def test_explained_close_by_an_error_is_no_answer(reason: CloseReason) -> None:
    assert not Transcript("it", [e.Closed(0, False, reason.label)]).answered
    assert Transcript("it", [e.Closed(0, False, CloseReason.SERVER_CLOSE.label)]).answered


def test_applied_faults_are_listed() -> None:
    faults = """faults: [
        {name: late, skip: 1, latency: 500ms},
        {times: 1, truncate: {bytes: 3}}]"""
    transcript = told(f"framing: line, rules: [{{do: [send: abcdef]}}], {faults}", b"\n")
    assert transcript.events[2:] == [
        e.Strikes(0, FaultName("faults[1]", 1, "truncate")),
        e.Sent(0, b"abc"),
        e.Closed(0, reset=False, reason="server_close"),
    ]
    transcript = told(f"framing: line, rules: [{{do: [send: abcdef]}}], {faults.replace('3', '9')}", b"\n\n")
    assert [str(event.fault) for event in only(transcript, e.Strikes)] == ["faults[1]", "faults[0] late"]
    assert sent(transcript) == [(0, b"abcdef"), (0.5, b"abcdef")]


def test_dropped_replies_are_listed_as_faults() -> None:
    transcript = told("framing: line, rules: [{do: [send: a]}], faults: [{every: 2, drop: {}}]", b"1\n2\n3\n")
    assert sent(transcript) == [(0, b"a"), (0, b"a")]
    assert [event.fault.kind for event in only(transcript, e.Strikes)] == ["drop"]


def test_answered_requests_are_evaluated_once() -> None:
    rules = "framing: line, rules: [{when: a, do: [delay: 1s]}, {name: other, do: [echo]}]"
    transcript = told(rules, b"a\nb\n", Moment(0.5, b"", eof=True), Moment(2))
    assert asked(transcript) == [(b"a", "rules[0]"), (b"b", "other")]
    assert sent(transcript) == [(1.0, b"b")]


def test_explained_slow_reader_gets_requests_later() -> None:
    faults = "faults: [{name: slow, direction: FROM_PEER, bandwidth: {bytes_per_second: 10}}]"
    transcript = told(f"framing: line, rules: [{{do: [echo]}}], {faults}", b"123456789\n123")
    assert sent(transcript) == [(1, b"123456789")]
    assert only(transcript, e.Strikes) == [e.Strikes(0, FaultName("slow", 0, "bandwidth"))]
    assert transcript.events[-2:] == [
        e.Incomplete(1.3, b"123", "line", "the line has not ended with LF"),
        e.Open(1.3, ""),
    ]


def test_explained_fault_of_a_rule_strikes_its_replies_alone() -> None:
    rules = "rules: [{name: a, when: a, do: [send: '1']}, {do: [send: '2']}]"
    transcript = told(f"framing: line, {rules}, faults: [{{rules: [a], latency: 3s}}]", b"b\na\n")
    assert sent(transcript) == [(0, b"2"), (3, b"1")]


def test_start_tls_is_an_event_and_what_follows_is_what_is_inside() -> None:
    tls = "tls: {cert: a.crt, key: a.key, start: ON_STEP}, framing: line, "
    rules = "rules: [{when: STARTTLS, do: [send: go, start_tls, send: in]}, {do: [echo]}]"
    transcript = told(tls + rules, b"STARTTLS\nx\n")
    assert only(transcript, e.BeginsTls, e.Sent) == [
        e.Sent(0, b"go"),
        e.BeginsTls(0),
        e.Sent(0, b"in"),
        e.Sent(0, b"x"),
    ]


BESIDE = """upstream: 'redis.example:6379', framing: line,
  rules: [{when: PING, do: [send: "+PONG\\r\\n"]}, {when: late, do: [delay: 1s, forward]}]"""


def test_request_for_the_upstream_is_shown_as_it_is_forwarded() -> None:
    transcript = told(BESIDE, b"GET a\r\nPING\r\nlate\r\n")
    assert only(transcript, e.Forwarded) == [e.Forwarded(0, b"GET a\r\n"), e.Forwarded(1, b"late\r\n")]
    assert sent(transcript) == [(0, b"+PONG\r\n")]
    assert transcript.answered


FRAMED = """upstream: {address: 'redis.example:6379', framing: line}, framing: line,
  rules: [{when: PING, do: [send: "+PONG\\r\\n"]}, {event: REPLY, when: bad, do: [delay: 1s, send: "other\\n"]}]"""


def test_answers_wait_for_replies_that_are_given() -> None:
    moments = [
        Moment(0, b"GET a\r\nPING\r\nGET b\r\n"),
        Moment(2, reply=b"ba"),
        Moment(3, reply=b"d\r\nok\r\nmore\r\n"),
    ]
    transcript = told(FRAMED, *moments)
    assert only(transcript, e.Forwarded) == [e.Forwarded(0, b"GET a\r\n"), e.Forwarded(4, b"GET b\r\n")]
    assert sent(transcript) == [(4, b"other\n+PONG\r\n"), (4, b"ok\r\n"), (4, b"more\r\n")]
    replies = [event for event in only(transcript, e.Evaluated) if event.event == "REPLY"]
    assert [event.request for event in replies] == [b"bad", b"ok", b"more"]
    assert transcript.answered


def test_replies_that_do_not_come_are_owed_at_the_end() -> None:
    moments = [Moment(0, b"GET a\r\nGET b\r\nPING\r\n"), Moment(1, reply=b"ok\r\n")]
    transcript = told(FRAMED, *moments)
    assert sent(transcript) == [(1, b"ok\r\n")]
    assert transcript.events[-2:] == [e.Owes(1, 1), e.Open(1, "")]


def test_without_given_replies_nothing_waits_for_them() -> None:
    assert sent(told(FRAMED, b"GET a\r\nPING\r\n")) == [(0, b"+PONG\r\n")]


def test_silence_ends_a_given_reply() -> None:
    idle = FRAMED.replace("framing: line}", "framing: {idle: {gap: 500ms}}}")
    moments = [Moment(0, b"GET a\r\n"), Moment(1, reply=b"o"), Moment(1.25, reply=b"k"), Moment(3)]
    transcript = told(idle, *moments)
    assert sent(transcript) == [(1.75, b"ok")]
