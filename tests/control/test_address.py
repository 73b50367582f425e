"""The address of the admin API, and whether other machines can reach it."""

import pytest

from answerback.control.address import Address, parse, reserved


@pytest.mark.parametrize(
    "text, expected, private",
    [
        ("127.0.0.1:50051", Address("127.0.0.1:50051", "127.0.0.1", 50051), True),
        ("127.9.9.9:1", Address("127.9.9.9:1", "127.9.9.9", 1), True),
        ("localhost:0", Address("localhost:0", "127.0.0.1", 0), True),
        ("[::1]:65535", Address("[::1]:65535", "::1", 65535), True),
        ("0.0.0.0:50051", Address("0.0.0.0:50051", "0.0.0.0", 50051), False),
        ("[::]:50051", Address("[::]:50051", "::", 50051), False),
        ("192.0.2.1:50051", Address("192.0.2.1:50051", "192.0.2.1", 50051), False),
        ("unix:/run/answerback.sock", Address("unix:/run/answerback.sock", "", 0, "/run/answerback.sock"), True),
    ],
)
def test_admin_address_is_parsed_and_known_to_be_private_or_not(text: str, expected: Address, private: bool) -> None:
    assert parse(text) == expected
    assert parse(text).private is private


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "'' is not HOST:PORT"),
        ("50051", "'50051' is not HOST:PORT"),
        ("127.0.0.1:", "'127.0.0.1:' is not HOST:PORT"),
        ("127.0.0.1:x", "'127.0.0.1:x' is not HOST:PORT"),
        ("127.0.0.1:65536", "'127.0.0.1:65536' is not HOST:PORT"),
        ("127.0.0.1:²", "'127.0.0.1:²' is not HOST:PORT"),
        (":50051", "':50051': the host is neither an IP address nor localhost"),
        ("example.org:1", "'example.org:1': the host is neither an IP address nor localhost"),
        ("::1:50051", "'::1:50051': an IPv6 address, and only that, needs brackets"),
        ("[127.0.0.1]:1", "'[127.0.0.1]:1': an IPv6 address, and only that, needs brackets"),
        ("unix:", "'unix:' names no path"),
    ],
)
def test_invalid_admin_address_is_rejected(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_bound_admin_address_has_the_port_chosen_by_the_kernel() -> None:
    assert parse("localhost:0").bound(7) == "127.0.0.1:7"
    assert parse("[::1]:0").bound(7) == "[::1]:7"
    assert parse("unix:/a").bound(7) == "unix:/a"


def test_admin_and_metrics_addresses_are_reserved() -> None:
    assert reserved("127.0.0.1:0", "127.0.0.1:0") == ()
    assert reserved("127.0.0.1:1", "off") == (("the admin API", "127.0.0.1:1"),)
    assert reserved("unix:/run/a", "0.0.0.0:9464") == (
        ("the admin API", "unix:/run/a"),
        ("the metrics", "0.0.0.0:9464"),
    )
