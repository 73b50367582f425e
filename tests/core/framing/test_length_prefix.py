import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.escapes import quote
from answerback.core.framing import MAX_BATCH, Encoding, LengthPrefix
from answerback.core.framing.length_prefix import LengthPrefixed
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Outcome,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    cut,
    streams,
)

MODBUS = LengthPrefix(offset=4, width=2)
POSTGRES = LengthPrefix(offset=1, width=4, adjust=-4)
STRIPPED = LengthPrefix(width=1, strip=True)
NETSTRING = LengthPrefix(encoding=Encoding.DECIMAL, until=b":", adjust=1, strip=True)
OCTET_COUNT = LengthPrefix(encoding=Encoding.DECIMAL, until=b" ")
MQTT = LengthPrefix(offset=1, encoding=Encoding.VARINT)
LDAP = LengthPrefix(offset=1, encoding=Encoding.BER)
FAULT = "the length 3 makes a frame of 4 bytes, shorter than its prefix"

READ = bytes.fromhex("00010000 0006 010300000002")
QUERY, TERMINATE = b"Q\x00\x00\x00\x0dselect 1\x00", b"X\x00\x00\x00\x04"

CASES = [
    (MODBUS, READ + b"\x00\x02", [READ], b"\x00\x02"),
    (POSTGRES, QUERY + TERMINATE, [QUERY, TERMINATE], b""),
    (STRIPPED, b"\x03abc\x00\x02de\x05f", [b"abc", b"", b"de"], b"\x05f"),
    (LengthPrefix(width=2, encoding=Encoding.LITTLE_ENDIAN), b"\x01\x00a\x00", [b"\x01\x00a"], b"\x00"),
    (LengthPrefix(width=3, adjust=2), b"\x00\x00\x01abc", [b"\x00\x00\x01abc"], b""),
    (LengthPrefix(width=8), bytes(7) + b"\x01a", [bytes(7) + b"\x01a"], b""),
    (LengthPrefix(offset=1, width=1, strip=True), b"T\x02abU", [b"ab"], b"U"),
    (NETSTRING, b"3:abc,0:,12:", [b"abc,", b","], b"12:"),
    (OCTET_COUNT, b"5 <1>ab11 <1>\nd", [b"5 <1>ab"], b"11 <1>\nd"),
    (LengthPrefix(width=3, encoding=Encoding.DECIMAL), b"002ab000010", [b"002ab", b"000"], b"010"),
    (LengthPrefix(width=2, encoding=Encoding.HEX), b"0Aabcdefghij0a", [b"0Aabcdefghij"], b"0a"),
    (LengthPrefix(encoding=Encoding.HEX, until=b"\n"), b"a\n0123456789f", [b"a\n0123456789"], b"f"),
    (LengthPrefix(offset=2, encoding=Encoding.DECIMAL, until=b":"), b"0:1:x99", [b"0:1:x"], b"99"),
    (MQTT, b"\xc0\x00\x30\x02ab\x30\x80\x01", [b"\xc0\x00", b"\x30\x02ab"], b"\x30\x80\x01"),
    (MQTT, b"\x30\x80\x01" + bytes(128) + b"0", [b"\x30\x80\x01" + bytes(128)], b"0"),
    (MQTT, b"\x30" + b"\x80" * 9 + b"\x00\x30", [b"\x30" + b"\x80" * 9 + b"\x00"], b"\x30"),
    (LDAP, b"\x30\x7f" + bytes(127) + b"\x30\x81", [b"\x30\x7f" + bytes(127)], b"\x30\x81"),
    (LDAP, b"\x30\x82\x00\x01a\x30\x81\x00", [b"\x30\x82\x00\x01a", b"\x30\x81\x00"], b""),
    (LDAP, b"\x30\x88" + bytes(7) + b"\x01a0", [b"\x30\x88" + bytes(7) + b"\x01a"], b"0"),
]  # fmt: skip


@pytest.mark.parametrize("framing, stream, requests, left", CASES)
def test_length_prefix_framing_cuts_stream_into_requests(
    framing: LengthPrefix, stream: bytes, requests: list[bytes], left: bytes
) -> None:
    check_case(framing, stream, requests, left)


def test_length_shorter_than_the_header_is_malformed() -> None:
    check_case(POSTGRES, b"X\x00\x00\x00\x03", [], b"", FAULT)


NOT_A_DIGIT = 'the length contains "{}" where a digit is expected'
MALFORMED = [
    (NETSTRING, b":", NOT_A_DIGIT.format(":")),
    (NETSTRING, b"x", NOT_A_DIGIT.format("x")),
    (NETSTRING, b"1;", NOT_A_DIGIT.format(";")),
    (NETSTRING, b"-", NOT_A_DIGIT.format("-")),
    (NETSTRING, b" ", NOT_A_DIGIT.format(" ")),
    (NETSTRING, b"a", NOT_A_DIGIT.format("a")),
    (NETSTRING, b"0" * 21, "the length has more than 20 digits"),
    (LengthPrefix(width=4, encoding=Encoding.DECIMAL), b"1x", NOT_A_DIGIT.format("x")),
    (LengthPrefix(width=4, encoding=Encoding.DECIMAL), b"12\xb2", NOT_A_DIGIT.format(r"\xb2")),
    (LengthPrefix(width=4, encoding=Encoding.HEX), b"abg", NOT_A_DIGIT.format("g")),
    (MQTT, b"\x30" + b"\x80" * 10, "a varint has more than 10 bytes"),
    (LDAP, b"\x30\x80", "a BER length of the indefinite form (0x80)"),
    (LDAP, b"\x30\x89", "a BER length of 9 bytes; at most 8 are supported"),
    (LDAP, b"\x30\xff", "a BER length of 127 bytes; at most 8 are supported"),
]


@pytest.mark.parametrize("framing, stream, fault", MALFORMED)
def test_malformed_length_is_reported_with_its_first_wrong_byte(
    framing: LengthPrefix, stream: bytes, fault: str
) -> None:
    check_case(framing, stream, [], b"", fault)
    assert cut(framing, [stream[:-1]]) == Outcome([], stream[:-1])


def test_requests_before_a_malformed_one_are_returned() -> None:
    check_case(POSTGRES, TERMINATE * 2 + b"X\x00\x00\x00\x03", [TERMINATE] * 2, b"", FAULT)


ADJUST, STRIP, OFFSET = st.integers(-6, 3), st.booleans(), st.integers(0, 3)
BINARY = st.sampled_from([Encoding.BIG_ENDIAN, Encoding.LITTLE_ENDIAN])
DIGITS = st.sampled_from([Encoding.DECIMAL, Encoding.HEX])
SELF_ENDING = st.sampled_from([Encoding.VARINT, Encoding.BER])
FRAMINGS = st.one_of(
    st.builds(LengthPrefix, OFFSET, st.integers(1, 8), BINARY, st.just(b""), ADJUST, STRIP),
    st.builds(LengthPrefix, OFFSET, st.sampled_from([1, 2, 3, 20]), DIGITS, st.just(b""), ADJUST, STRIP),
    st.builds(LengthPrefix, OFFSET, st.just(0), DIGITS, st.sampled_from([b":", b"\x00", b"\n"]), ADJUST, STRIP),
    st.builds(LengthPrefix, OFFSET, st.just(0), SELF_ENDING, st.just(b""), ADJUST, STRIP),
)
STREAMS = streams(
    b"\x00", b"\x01", b"\x02", b"\x00\x00\x00", b"abc", b"3:", b"0", b"12", b"\x81", b"\x82\x00", b"0" * 9, most=60
)  # fmt: skip


@given(framing=FRAMINGS, stream=STREAMS, where=CUTS, kind=KINDS)
def test_length_prefix_framing_cut_anywhere_finds_same_requests(
    framing: LengthPrefix, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(framing, stream, where, kind)


def plainly(framing: LengthPrefix, stream: bytes) -> Outcome:
    """The same in another way: the prefix grows byte by byte until it is complete."""
    requests: list[bytes] = []
    while stream:
        for size in range(framing.offset + 1, len(stream) + 1):
            prefix = stream[framing.offset : size]
            length = plain_length(framing, prefix)
            if isinstance(length, str):
                return Outcome(requests, b"", length)
            if length is not None:
                break
        else:
            break
        end = size + length + framing.adjust
        if end < size:
            return Outcome(requests, b"", f"the length {length} makes a frame of {end} bytes, shorter than its prefix")
        if len(stream) < end:
            break
        requests.append(stream[size if framing.strip else 0 : end])
        stream = stream[end:]
    return Outcome(requests, stream)


def plain_length(framing: LengthPrefix, prefix: bytes) -> int | str | None:  # noqa: C901, PLR0911 - one case an encoding
    """The length that these bytes are; a fault that they have; None if they go on."""
    match framing.encoding:
        case Encoding.BIG_ENDIAN | Encoding.LITTLE_ENDIAN if len(prefix) == framing.width:
            missing = bytes(8 - framing.width)
            if framing.encoding is Encoding.LITTLE_ENDIAN:
                return int(struct.unpack("<Q", prefix + missing)[0])
            return int(struct.unpack(">Q", missing + prefix)[0])
        case Encoding.DECIMAL | Encoding.HEX:
            known = b"0123456789" + b"abcdefABCDEF" * (framing.encoding is Encoding.HEX)
            base = 16 if framing.encoding is Encoding.HEX else 10
            if prefix[-1] not in known:
                if framing.until and prefix.endswith(framing.until) and len(prefix) > 1:
                    return int(prefix[:-1], base)
                return f"the length contains {quote(prefix[-1:])} where a digit is expected"
            if framing.until and len(prefix) > 20:
                return "the length has more than 20 digits"
            return int(prefix, base) if len(prefix) == framing.width else None
        case Encoding.VARINT:
            if prefix[-1] < 128:
                return int(sum((byte % 128) * 128**place for place, byte in enumerate(prefix)))
            return "a varint has more than 10 bytes" if len(prefix) == 10 else None
        case Encoding.BER:
            if prefix[0] < 128:
                return prefix[0]
            if prefix[0] == 128:
                return "a BER length of the indefinite form (0x80)"
            if prefix[0] > 136:
                return f"a BER length of {prefix[0] - 128} bytes; at most 8 are supported"
            return int(prefix[1:].hex(), 16) if len(prefix) == prefix[0] - 127 else None
    return None


@given(framing=FRAMINGS, stream=STREAMS)
def test_length_prefix_framing_agrees_with_plain_model(framing: LengthPrefix, stream: bytes) -> None:
    assert cut(framing, [stream]) == plainly(framing, stream)


@given(framing=FRAMINGS, stream=STREAMS)
def test_length_prefix_framing_consumed_is_start_of_next_request(framing: LengthPrefix, stream: bytes) -> None:
    check_consumed(framing, stream)


def test_length_prefix_framing_cuts_long_buffer_in_batches() -> None:
    found, end = STRIPPED.split(b"\x01a" * (2 * MAX_BATCH), 0)
    assert (len(found), end) == (MAX_BATCH, 2 * MAX_BATCH)


LEAST = [
    (MODBUS, b"", 6),
    (MODBUS, b"\x00\x01\x00\x00\x00", 6),
    (MODBUS, b"\x00\x01\x00\x00\xff\xff", 65541),
    (LengthPrefix(width=4), b"\x80\x00\x00\x00", (1 << 31) + 4),  # evident before it is there
    (STRIPPED, b"", 0),
    (STRIPPED, b"\x05abc", 5),
    (LengthPrefix(width=8), b"\xff" * 8, (1 << 64) + 7),
    (LengthPrefix(width=20, encoding=Encoding.DECIMAL), b"1", 20),
    (LengthPrefix(width=20, encoding=Encoding.DECIMAL), b"9" * 20, 10**20 + 19),
    (OCTET_COUNT, b"", 2),
    (OCTET_COUNT, b"1", 2),
    (OCTET_COUNT, b"12", 3),
    (OCTET_COUNT, b"12 ", 15),
    (NETSTRING, b"12", 0),
    (NETSTRING, b"12:a", 13),
    (MQTT, b"", 2),
    (MQTT, b"\x30", 2),
    (MQTT, b"\x30\x80", 3),
    (MQTT, b"\x30\x80\x01", 131),
    (MQTT, b"\x30" + b"\xff" * 9 + b"\x7f", (1 << 70) + 10),
    (LDAP, b"\x30\x82", 4),
    (LDAP, b"\x30\x82\x01", 4),
    (LDAP, b"\x30\x82\x01\x00", 260),
]


@pytest.mark.parametrize("framing, buffer, least", LEAST)
def test_length_prefix_framing_gives_min_request_length(framing: LengthPrefix, buffer: bytes, least: int) -> None:
    assert framing.min_length(buffer) == least


def test_length_prefix_framing_with_negative_offset_is_rejected() -> None:
    with pytest.raises(ValueError, match="an offset of 0 or more, not -1"):
        LengthPrefix(-1, 1)


BODIES = [
    (MODBUS, READ, [6]),
    (POSTGRES, QUERY + TERMINATE, [5, 5]),
    (LengthPrefix(encoding=Encoding.DECIMAL, until=b":"), b"3:abc12:" + bytes(12), [2, 3]),
    (MQTT, b"\x30\x02ab\x30\x80\x01" + bytes(128) + b"\xc0\x00", [2, 3, 2]),
    (STRIPPED, b"\x03abc\x00", [0, 0]),
]


@pytest.mark.parametrize("framing, stream, bodies", BODIES)
def test_request_knows_where_it_begins_behind_its_prefix(
    framing: LengthPrefix, stream: bytes, bodies: list[int]
) -> None:
    requests, end = framing.split(stream, 0)
    assert end == len(stream)
    assert [request.body for request in requests if isinstance(request, LengthPrefixed)] == bodies


def test_length_prefix_framing_rest_at_eof_is_no_request() -> None:
    assert (MODBUS.eof_completes, MODBUS.idle_gap) == (False, float("inf"))


def test_length_prefix_framings_with_equal_options_are_equal() -> None:
    assert LengthPrefix(4, 2, Encoding.BIG_ENDIAN, b"", adjust=0, strip=False) == MODBUS
    assert len({MODBUS, POSTGRES, STRIPPED, LengthPrefix(4, 2, strip=True)}) == 4
