"""The configuration and the talk of a recording: what they hold, and that the one gives what the other expects."""

import struct
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.document.document import load
from answerback.recording import Bare, Nothing, Outcome, Piece, Recording, Unframed, outcome_of
from tests.recording.talking import FIN, RESET, Said, c, pieces, recording, s

ADDRESS = "127.0.0.1:7000"


def made(*connections: Sequence[Said], **options: object) -> Outcome:
    of = [pieces(each, connection=number, at=number * 10.0) for number, each in enumerate(connections, 1)]
    return outcome_of(recording(*of), ADDRESS, **options)  # type: ignore[arg-type]


SMTP = [
    *s(b"220 here\r\n"),
    *c(b"DATA\r\n"),
    *s(b"354 go on\r\n"),
    *c(b"Subject: x\r\n\r\nHello\r\n.\r\n"),
    *s(b"250 queued\r\n"),
    *c(b"QUIT\r\n"),
    *s(b"221 bye\r\n", FIN),
    *c(FIN),
]


def test_conversation_becomes_rules_and_a_talk() -> None:
    outcome = made(SMTP)
    assert outcome.problems == []
    assert outcome.talk.splitlines() == [
        "# Recorded: 1 connection.",
        r'< "220 here\r\n"',
        r'> "DATA\r\n"',
        r'< "354 go on\r\n"',
        r'> "Subject: x\r\n\r\nHello\r\n.\r\n"',
        r'< "250 queued\r\n"',
        r'> "QUIT\r\n"',
        r'< "221 bye\r\n"',
        "< eof",
    ]
    assert outcome.configuration.partition("listeners:")[2].splitlines()[1:] == [
        "  - name: recorded",
        '    address: "127.0.0.1:7000"',
        "    framing: line",
        "    rules:",
        "      - event: CONNECT",
        r'        do: [{send: "220 here\r\n"}]',
        '      - name: "data"',
        '        when: {equals: "DATA"}',
        r'        do: [{send: "354 go on\r\n"}]',
        '      - name: "request"',
        '        when: {equals: "."}',
        r'        do: [{send: "250 queued\r\n"}]',
        '      - name: "quit"',
        '        when: {equals: "QUIT"}',
        r'        do: [{send: "221 bye\r\n"}, close]',
        '      - name: "no-reply"',
        '        when: {any: [{equals: "Subject: x"}, {equals: ""}, {equals: "Hello"}]}',
    ]


def test_request_with_different_replies_gets_them_in_the_order_of_each_connection() -> None:
    counting = [*c(b"n\n"), *s(b"1\n"), *c(b"n\n"), *s(b"2\n"), *c(FIN)]
    outcome = made(counting, counting[:2])
    assert "scope: CONNECTION" in outcome.configuration
    assert outcome.problems == []
    assert any("2 different replies" in note and "each connection" in note for note in outcome.notes)


def test_request_whose_replies_go_on_over_connections_gets_them_in_that_order() -> None:
    outcome = made([*c(b"n\n"), *s(b"1\n"), *c(FIN)], [*c(b"n\n"), *s(b"2\n"), *c(FIN)])
    assert "then: CYCLE" in outcome.configuration
    assert outcome.problems == []
    assert any("order of all connections" in note for note in outcome.notes)


def test_replies_to_pipelined_requests_are_split_by_their_framing() -> None:
    together = [*c(b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), *s(b"+PONG\r\n$2\r\nhi\r\n"), *c(FIN)]
    outcome = made(together, given=Bare("resp"))
    assert r'do: [{send: "+PONG\r\n"}]' in outcome.configuration
    assert r'do: [{send: "$2\r\nhi\r\n"}]' in outcome.configuration
    assert outcome.problems == []


@pytest.mark.parametrize(
    "replies",
    [
        b"+a\r\n-b\r\n",
        b":1\r\n$-1\r\n",
        b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n_\r\n",
        b"%1\r\n+k\r\n+v\r\n#t\r\n",
        b"$4\r\n\r\n\r\n\r\n,1.5\r\n",
        b">1\r\n+x\r\n=5\r\ntxt:a\r\n",
    ],
)
def test_replies_of_redis_are_split(replies: bytes) -> None:
    ping = b"*1\r\n$4\r\nPING\r\n"
    outcome = made([*c(ping + ping), *s(replies), *c(FIN)], given=Bare("resp"))
    assert outcome.problems == []
    assert not any("separated" in note for note in outcome.notes)


def test_replies_that_cannot_be_told_apart_are_named() -> None:
    outcome = made([*c(b"a\nb\n"), *s(b"one"), *c(FIN)])
    assert "connection 1: requests 1 to 2 were sent together" in outcome.notes[0]
    assert outcome.problems == []


def test_value_that_differs_between_connections_is_named() -> None:
    def hello(nonce: bytes) -> list[Said]:
        return [*c(b"HELLO nonce=" + nonce + b"\n"), *s(b"ok\n"), *c(FIN)]

    outcome = made(hello(b"a1"), hello(b"b2"))
    assert outcome.notes[0].startswith("request 1 differs from byte 12 on between connections 1 and 2")
    assert outcome.rules == 2


def test_server_that_resets_is_repeated() -> None:
    outcome = made([*c(b"die\n"), *s(b"no", RESET)])
    assert 'do: [{send: "no"}, reset]' in outcome.configuration
    assert outcome.talk.endswith("< reset\n")
    assert outcome.problems == []


def test_server_that_closes_after_a_silence_has_an_idle_timeout() -> None:
    outcome = made([*c(b"hi\n"), *s(b"hi\n", 30.0, FIN), *c(FIN)])
    assert 'limits: {idle_timeout: "30001ms"}' in outcome.configuration
    assert "< eof" not in outcome.talk
    assert outcome.problems == []


def test_delays_are_repeated_only_if_asked_for() -> None:
    slow = [*c(b"a\n"), *s(0.25, b"1", 0.5, b"2"), *c(FIN)]
    assert "delay" not in made(slow).configuration
    outcome = made(slow, delays=True)
    assert 'do: [{delay: "251ms"}, {send: "1"}, {delay: "501ms"}, {send: "2"}]' in outcome.configuration
    assert outcome.problems == []


def test_second_framing_begins_behind_the_first_request() -> None:
    startup = struct.pack(">IHH", 8 + 5, 3, 0) + b"user\0"
    query = b"Q" + struct.pack(">I", 13) + b"SELECT 1\0"
    other = b"Q" + struct.pack(">I", 14) + b"SELECT 22\0"
    talk = [*c(startup), *s(b"R\0"), *c(query), *s(b"D1"), *c(other), *s(b"D2"), *c(b"X\0\0\0\4", FIN)]
    outcome = made(talk)
    assert "{framing: {length_prefix: {offset: 1, width: 4, adjust: -4}}}" in outcome.configuration
    assert outcome.problems == []


def test_connections_at_the_same_time_are_played_at_the_same_time() -> None:
    one = pieces(c(b"a\n"), s(b"1\n"), c(b"b\n"), s(b"2\n"), c(FIN), connection=1)
    two = pieces(c(b"x\n"), s(b"9\n"), c(FIN), connection=2, at=0.0015)
    mixed = Recording(pieces=sorted([*one, *two], key=lambda piece: piece.at))
    outcome = outcome_of(mixed, ADDRESS)
    assert outcome.problems == []
    assert "connect c2" in outcome.talk
    assert "as c1" in outcome.talk


def test_recording_without_bytes_is_nothing() -> None:
    with pytest.raises(Nothing):
        outcome_of(recording(pieces(c(FIN), s(FIN))), ADDRESS)


def test_framing_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(Unframed, match="connection 1: "):
        made([*c(b"*x\r\n"), *s(b"-ERR\r\n"), *c(FIN)], given=Bare("resp"))


def test_recording_keeps_no_more_than_its_maximum() -> None:
    small = Recording(max_bytes=4)
    for data in (b"abcd", b"e", b""):
        small.add(Piece(1, from_client=True, at=0.0, data=data))
    assert (small.full, small.size, len(small.pieces)) == (True, 4, 1)


words = st.text("abc", min_size=1, max_size=4).map(str.encode)
replies = st.binary(max_size=12)


def answered(talk: Iterable[tuple[bytes, bytes]]) -> list[Said]:
    """Requests, each with its reply, which may be empty."""
    return [each for request, reply in talk for each in (*c(request), *(s(reply) if reply else ()))]


@given(st.lists(st.lists(st.tuples(words, replies), min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_conversation_in_lines_is_repeated(talks: list[list[tuple[bytes, bytes]]]) -> None:
    connections = [[*answered((word + b"\n", reply) for word, reply in talk), *c(FIN), *s(FIN)] for talk in talks]
    outcome = made(*connections, given=Bare("line"))
    assert outcome.problems == []
    assert outcome.requests == sum(map(len, talks))


@given(st.lists(st.tuples(st.binary(max_size=40), replies), min_size=1, max_size=6))
def test_any_binary_conversation_is_repeated(talk: list[tuple[bytes, bytes]]) -> None:
    said = answered((struct.pack(">H", len(body)) + body, reply) for body, reply in talk)
    outcome = made([*said, *c(FIN), *s(FIN)], given=Bare("{length_prefix: {width: 2}}"))
    assert outcome.problems == []
    assert load(outcome.configuration).problems == ()
