import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.language import addresses
from answerback.language.addresses import socket_key
from answerback.v1 import config_pb2 as v1

FORM = "write HOST:PORT, like 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000"
UNIX = "a Unix socket has an absolute path: write unix:/run/answerback/name.sock"
NO_NAME = (
    "is no IP address, and names are not looked up: 127.0.0.1 is this machine alone, 0.0.0.0 every IPv4 address of it"
)

READ = {
    "127.0.0.1:8000": "127.0.0.1:8000",
    "0.0.0.0:0": "0.0.0.0:0",
    "[::1]:80": "[::1]:80",
    "[0:0::0:1]:080": "[::1]:80",
    "[::]:65535": "[::]:65535",
    "[2001:DB8::1]:1": "[2001:db8::1]:1",
    "unix:/run/a.sock": "unix:/run/a.sock",
    "unix://run/./x/../a:1#b.sock": "unix:/run/a:1#b.sock",
    f"unix:/{'a' * 106}": f"unix:/{'a' * 106}",
}


@pytest.mark.parametrize("text, canonical", READ.items())
def test_address_text_is_parsed_to_canonical_form(text: str, canonical: str) -> None:
    assert str(addresses.parse(text)) == canonical


REFUSED = {
    "": f"missing: {FORM}",
    "127.0.0.1": f"the port is missing: {FORM}, not '127.0.0.1'",
    "localhost": f"the port is missing: {FORM}, not 'localhost'",
    "[::1]": f"the port is missing: {FORM}, not '[::1]'",
    "localhost:80": f"'localhost' {NO_NAME}",
    "db.example:80": f"'db.example' {NO_NAME}",
    "*:80": f"'*' {NO_NAME}",
    "256.0.0.1:80": "'256.0.0.1' is not an IPv4 address",
    "127.1:80": "'127.1' is not an IPv4 address",
    "010.0.0.1:80": "'010.0.0.1' is not an IPv4 address",
    ":80": f"the host is missing; 0.0.0.0 is every IPv4 address: {FORM}",
    "::1:80": "an IPv6 address goes in brackets, and a port behind it: [::1]:8000, not '::1:80'",
    "[::1%lo]:80": "'::1%lo' has a zone; write the address without it",
    "[::g]:80": "'::g' is not an IPv6 address",
    "[127.0.0.1]:80": "'127.0.0.1' is not an IPv6 address",
    "[::ffff:10.0.0.1]:80": "an IPv6 listener takes IPv6 alone: write 10.0.0.1 for the IPv4 address",
    "127.0.0.1:65536": "a port is 0 to 65535, not 65536",
    "127.0.0.1:99999999999": f"{FORM}, not '127.0.0.1:99999999999'",
    "127.0.0.1:http": f"the port is a number, 0 to 65535, not 'http': {FORM}",
    "127.0.0.1:": f"the port is a number, 0 to 65535, not '': {FORM}",
    "127.0.0.1:-1": f"the port is a number, 0 to 65535, not '-1': {FORM}",
    " 127.0.0.1:80": f"' 127.0.0.1' {NO_NAME}",
    "unix:": f"{UNIX}, not 'unix:'",
    "unix:a.sock": f"{UNIX}, not 'unix:a.sock'",
    "unix:@a": f"{UNIX}, not 'unix:@a'",
    "unix:/run/": f"{UNIX}, not 'unix:/run/'",
    "unix:/a\0b": f"{UNIX}, not 'unix:/a\\x00b'",
    f"unix:/{'é' * 54}": "the path of a Unix socket has 107 bytes at most, not 109",
    "\0:80": f"'\\x00' {NO_NAME}",
}


@pytest.mark.parametrize("text, why", REFUSED.items())
def test_invalid_address_text_is_rejected(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        addresses.parse(text)
    assert str(caught.value) == why


@given(st.text(max_size=30) | st.from_regex(r"[0-9.:\[\]a-f%]{0,20}", fullmatch=True))
def test_any_text_parses_as_address_or_is_rejected(text: str) -> None:
    try:
        address = addresses.parse(text)
    except ValueError:
        return
    assert addresses.parse(str(address)) == address


OVERLAPS = [
    ("127.0.0.1:80", "127.0.0.1:80", True),
    ("0.0.0.0:80", "127.0.0.1:80", True),
    ("127.0.0.1:80", "127.0.0.1:81", False),
    ("127.0.0.1:80", "127.0.0.2:80", False),
    ("[::]:80", "[::1]:80", True),
    ("[::]:80", "127.0.0.1:80", False),  # V6ONLY
    ("[::]:80", "0.0.0.0:80", False),
    ("127.0.0.1:0", "127.0.0.1:0", False),
    ("unix:/a", "unix:/./a", True),
    ("unix:/a", "unix:/b", False),
    ("unix:/a:80", "0.0.0.0:80", False),
]


@pytest.mark.parametrize("one, other, overlap", OVERLAPS)
def test_addresses_overlap_in_both_directions_or_neither(one: str, other: str, overlap: bool) -> None:
    first, second = addresses.parse(one), addresses.parse(other)
    assert first.overlaps(second) is second.overlaps(first) is overlap


OURS = [
    ("127.0.0.1:9464", "127.0.0.1:9464", True),
    ("127.0.0.1:9464", "0.0.0.0:9464", True),
    ("0.0.0.0:9464", "127.0.0.1:9464", True),
    ("[::]:9464", "127.0.0.1:9464", True),  # a port of our own may be dual-stack
    ("[::]:9464", "[::1]:9464", True),
    (":9464", "10.0.0.1:9464", True),
    ("localhost:9464", "127.0.0.1:9464", True),
    ("localhost:9464", "[::1]:9464", True),
    ("localhost:9464", "10.0.0.1:9464", False),
    ("[::1]:9464", "127.0.0.1:9464", False),
    ("unix:/run/it:9464", "127.0.0.1:9464", False),
    ("unix:/run/it", "unix:/run/./it", True),
    ("unix:it", "unix:/run/it", False),
    ("metrics.example:9464", "127.0.0.1:9464", False),
    ("127.0.0.1:0", "127.0.0.1:0", False),
]


@pytest.mark.parametrize("ours, address, overlap", OURS)
def test_address_overlapping_a_reserved_one_is_named(ours: str, address: str, overlap: bool) -> None:
    said = addresses.occupied(addresses.parse(address), [("the page", ours)])
    assert said == (f"the page ({ours})" if overlap else None)


def test_socket_key_is_the_canonical_address_and_for_port_0_also_the_name() -> None:
    assert socket_key(v1.Listener(name="a", address="[0::1]:080")) == "[::1]:80"
    assert socket_key(v1.Listener(name="a", address="127.0.0.1:0")) == "127.0.0.1:0#a"
    assert socket_key(v1.Listener(name="a", address="unix:/run//a.sock")) == "unix:/run/a.sock"


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:80", "unix:/a#b"])
def test_socket_key_is_parsed_back_to_its_address(text: str) -> None:
    assert addresses.of_key(socket_key(v1.Listener(name="a", address=text))) == addresses.parse(text)
