"""Headers of the PROXY protocol: those of the specification, cut anywhere, and what is none."""

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.proxy_header import (
    V1_BYTES,
    V2_BYTES,
    InvalidHeader,
    NoHeader,
    ProxyHeader,
    ProxyProtocol,
    begins_header,
    crc32c,
    read_header,
)
from tests import proxying
from tests.proxying import (
    DGRAM,
    INET,
    INET6,
    NOOP,
    SIGNATURE,
    STREAM,
    UNIX,
    UNSPEC,
    Tlv,
    binary,
    checked,
    local,
    v1,
    v2,
)

ports = st.integers(0, 65535)
v4_hosts = st.ip_addresses(v=4).map(str)
v6_hosts = st.ip_addresses(v=6).map(str)
types = st.integers(0, 255).filter(lambda kind: kind != proxying.CRC32C)
tlvs = st.lists(st.tuples(types, st.binary(max_size=40)), max_size=5)


def said(host: str) -> str:
    """The address of a host, as rules see it."""
    address = ip_address(host)
    return str(getattr(address, "ipv4_mapped", None) or address)


@st.composite
def announced(draw: st.DrawFn) -> tuple[bytes, ProxyHeader]:
    """A valid header, and what it says."""
    kind = draw(st.sampled_from(["1", "1 unknown", "2", "2 unix", "2 unspec", "2 local"]))
    hosts = draw(st.sampled_from([v4_hosts, v6_hosts]))
    source, destination, port, to = draw(hosts), draw(hosts), draw(ports), draw(ports)
    given = draw(tlvs)
    if kind == "1":
        header = v1(source, port, destination, to)
    elif kind == "1 unknown":
        rest = draw(st.binary(max_size=90)).replace(b"\n", b"")
        header = b"PROXY UNKNOWN" + (b" " + rest if rest else b"") + b"\r\n"
    elif kind == "2":
        header = v2(source, port, destination, to, tlvs=given, transport=draw(st.sampled_from([STREAM, DGRAM])))
        header = checked(header) if draw(st.booleans()) else header
    elif kind == "2 unix":
        header = proxying.v2_unix(tlvs=given)
    elif kind == "2 unspec":
        header = binary(UNSPEC, 0, draw(st.binary(max_size=300)))
    else:
        header = binary(draw(st.integers(0, 15)), draw(st.integers(0, 15)), draw(st.binary(max_size=300)), command=0)
    expected = {"1": (said(source), port), "2": (said(source), port), "2 unix": ("", 0)}.get(kind)
    return header, ProxyHeader(len(header), expected, is_local=kind == "2 local")


def told(data: bytes) -> ProxyHeader | str | None:
    try:
        return read_header(data)
    except InvalidHeader:
        return "invalid"
    except NoHeader:
        return "none"


@given(announced(), st.binary(max_size=20))
def test_valid_header_says_who_the_client_is_and_where_it_ends(
    header: tuple[bytes, ProxyHeader], behind: bytes
) -> None:
    data, expected = header
    assert read_header(data + behind) == expected


@given(announced())
def test_header_that_is_cut_anywhere_is_awaited(header: tuple[bytes, ProxyHeader]) -> None:
    data, _ = header
    assert [told(data[:size]) for size in range(len(data))] == [None] * len(data)


@given(announced(), st.data())
def test_changed_byte_never_raises_anything_else_and_verdicts_are_final(
    header: tuple[bytes, ProxyHeader], data: st.DataObject
) -> None:
    changed = bytearray(header[0])
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    _check_finality(bytes(changed))


@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary(max_size=200))
def test_garbage_is_rejected_or_awaited_up_to_the_bound(prefix: bytes, garbage: bytes) -> None:
    _check_finality(prefix + garbage)


def _check_finality(data: bytes) -> None:
    """Once there is a verdict, more bytes do not change it."""
    verdicts = [told(data[:size]) for size in range(len(data) + 1)]
    final = next((index for index, verdict in enumerate(verdicts) if verdict is not None), len(verdicts))
    assert all(verdict == verdicts[final] for verdict in verdicts[final:])


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 443\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 443 \r\n",
        b"PROXY TCP4  192.0.2.7 198.51.100.1 40123 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123\r\n",
        b"PROXY TCP4 192.0.2.07 198.51.100.1 40123 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 40123 443\r\n",
        b"PROXY TCP4 192.0.2 198.51.100.1 40123 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.x 40123 443\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 40123 443\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 40123 443\r\n",
        b"PROXY TCP6 2001:db8::1%eth0 2001:db8::2 40123 443\r\n",
        b"PROXY TCP6 2001::db8::1 2001:db8::2 40123 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 040123 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 00 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 65536\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1  443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 \u0664\u0660 443\r\n".encode(),
        "PROXY TCP4 192.0.2.\u0667 198.51.100.1 40123 443\r\n".encode(),
        b"PROXY UDP4 192.0.2.7 198.51.100.1 40123 443\r\n",
        b"PROXY tcp4 192.0.2.7 198.51.100.1 40123 443\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY \r\n",
        b"PROXY \n",
        b"PROXY TCP4 192.0.2.7\xff 198.51.100.1 40123 443\r\n",
    ],
)
def test_line_that_the_specification_does_not_allow_is_invalid(line: bytes) -> None:
    assert told(line) == "invalid"


@pytest.mark.parametrize("line, port", [(b"0 65535", 0), (b"65535 0", 65535), (b"9 10", 9), (b"10000 1", 10000)])
def test_line_has_every_port(line: bytes, port: int) -> None:
    assert told(b"PROXY TCP4 192.0.2.7 198.51.100.1 " + line + b"\r\n") == ProxyHeader(
        len(line) + 36, ("192.0.2.7", port)
    )


def test_longest_line_is_read_and_a_longer_one_is_invalid() -> None:
    longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535".ljust(V1_BYTES - 2, b"f") + b"\r\n"
    assert len(longest) == V1_BYTES == 107
    assert told(longest) == ProxyHeader(V1_BYTES)
    assert told(longest[:-2] + b"f") is None
    assert told(longest[:-2] + b"f\r") == "invalid"
    assert told(longest[:-2] + b"f\r\n") == "invalid"


HOSTS = bytes.fromhex("c0000207 c6336401 9cbb 01bb")  # 192.0.2.7, 198.51.100.1, 40123, 443


def test_bytes_of_version_2_are_those_of_the_specification() -> None:
    assert told(SIGNATURE + b"\x21\x11\x00\x0c" + HOSTS) == ProxyHeader(28, ("192.0.2.7", 40123))
    hosts = bytes(15) + b"\1" + bytes(15) + b"\2" + b"\x9c\xbb\x01\xbb"
    assert told(SIGNATURE + b"\x21\x21\x00\x24" + hosts) == ProxyHeader(52, ("::1", 40123))
    assert told(SIGNATURE + b"\x20\x00\x00\x00") == ProxyHeader(16, is_local=True)
    assert told(SIGNATURE + b"\x21\x00\x00\x00") == ProxyHeader(16)


@pytest.mark.parametrize("first", [0x10, 0x11, 0x22, 0x2F, 0x31, 0x01, 0xFF])
def test_other_version_or_command_is_invalid(first: int) -> None:
    assert told(SIGNATURE + bytes([first, 0x11]) + b"\x00\x0c" + HOSTS) == "invalid"


@pytest.mark.parametrize("family", [0x01, 0x02, 0x10, 0x13, 0x20, 0x23, 0x30, 0x33, 0x41, 0xFF])
def test_other_family_or_transport_is_invalid(family: int) -> None:
    assert told(SIGNATURE + bytes([0x21, family]) + struct.pack("!H", 216) + bytes(216)) == "invalid"
    assert told(SIGNATURE + bytes([0x20, family]) + struct.pack("!H", 216) + bytes(216)) == ProxyHeader(
        232, is_local=True
    )


@pytest.mark.parametrize("family, size", [(INET, 12), (INET6, 36), (UNIX, 216)])
def test_header_that_is_shorter_than_its_addresses_is_invalid_at_its_length(family: int, size: int) -> None:
    short = SIGNATURE + bytes([0x21, family << 4 | STREAM]) + struct.pack("!H", size - 1)
    assert told(short) == "invalid"
    assert isinstance(told(binary(family, STREAM, bytes(size))), ProxyHeader)


def test_header_past_the_bound_is_invalid_at_its_length() -> None:
    room = V2_BYTES - len(HOSTS)
    fits = v2(tlvs=[(NOOP, bytes(room - 3))])
    assert told(fits) == ProxyHeader(16 + V2_BYTES, ("192.0.2.7", 40123))
    assert told(v2(tlvs=[(NOOP, bytes(room - 2))])[:16]) == "invalid"
    assert told(local(bytes(V2_BYTES + 1))[:16]) == "invalid"


def test_mapped_address_is_the_client_without_the_mapping() -> None:
    expected = ("192.0.2.7", 40123)
    assert told(v2("::ffff:192.0.2.7", 40123, "::1")) == ProxyHeader(52, expected)
    line = b"PROXY TCP6 ::ffff:192.0.2.7 ::1 40123 443\r\n"
    assert told(line) == ProxyHeader(len(line), expected)


# ── TLVs ──


@pytest.mark.parametrize(
    "rest, valid",
    [
        (b"", True),
        (b"\4\0\0", True),
        (b"\4\0\1x", True),
        (b"\xee\0\3abc\xef\0\0", True),
        (b"\4", False),
        (b"\4\0", False),
        (b"\4\0\1", False),
        (b"\4\0\2x", False),
        (b"\4\0\0\4", False),
        (b"\4\xff\xff" + bytes(100), False),
    ],
)
def test_tlvs_end_with_the_header(rest: bytes, valid: bool) -> None:
    header = binary(INET, STREAM, HOSTS + rest)
    assert isinstance(told(header), ProxyHeader) is valid


SEVERAL: list[Tlv] = [
    (proxying.ALPN, b"h2"),
    (proxying.AUTHORITY, "bücher.example".encode()),
    (proxying.SSL, b"\1\0\0\0\0" + struct.pack("!BH", 0x21, 7) + b"TLSv1.3"),
    (proxying.UNIQUE_ID, b"u" * 128),
]


def test_header_whose_checksum_is_right_is_read_and_any_other_is_invalid() -> None:
    header = checked(v2(tlvs=SEVERAL))
    assert told(header) == ProxyHeader(len(header), ("192.0.2.7", 40123))
    changed = range(16, len(header))
    verdicts = {at: told(header[:at] + bytes([header[at] ^ 1]) + header[at + 1 :]) for at in changed}
    assert verdicts.pop(len(header) - 7) == told(header), "the checksum has become another TLV, which is skipped"
    assert set(verdicts.values()) == {"invalid"}


def test_checksum_in_front_of_other_tlvs_is_checked() -> None:
    value = struct.pack("!I", proxying.castagnoli(v2(tlvs=[(proxying.CRC32C, bytes(4)), *SEVERAL])))
    assert isinstance(told(v2(tlvs=[(proxying.CRC32C, value), *SEVERAL])), ProxyHeader)
    assert told(v2(tlvs=[(proxying.CRC32C, value), *SEVERAL[1:]])) == "invalid"


@pytest.mark.parametrize("size", [0, 3, 5, 8])
def test_checksum_of_another_size_is_invalid(size: int) -> None:
    assert told(v2(tlvs=[(proxying.CRC32C, bytes(size))])) == "invalid"


def test_two_checksums_are_invalid() -> None:
    assert told(checked(checked(v2()))) == "invalid"


def test_checksum_has_the_values_of_rfc_3720() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.binary(max_size=100))
def test_checksum_is_the_remainder_of_the_division(data: bytes) -> None:
    assert crc32c(data) == proxying.castagnoli(data)


# ── Who may send one, and when it is sure that there is one ──


def test_stream_that_can_only_be_a_header_is_known_by_its_whole_prefix() -> None:
    for prefix in (b"PROXY ", SIGNATURE):
        assert [begins_header(prefix[:size]) for size in range(len(prefix) + 1)] == [False] * len(prefix) + [True]
        assert begins_header(prefix + b"x")
    assert not begins_header(b"PROXYX")


@pytest.mark.parametrize(
    "host, trusted",
    [
        ("10.1.2.3", True),
        ("192.0.2.5", True),
        ("192.0.2.6", False),
        ("fe80::1%eth0", True),
        ("::1", False),
        ("", False),
    ],
)
def test_peer_may_send_a_header_if_its_address_is_listed(host: str, trusted: bool) -> None:
    senders = tuple(map(ip_network, ("10.0.0.0/8", "192.0.2.5", "fe80::/10")))
    assert ProxyProtocol(senders=senders).trusts(host) is trusted
    assert ProxyProtocol().trusts(host)
