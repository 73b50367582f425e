import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.language import payloads
from answerback.v1 import config_pb2 as v1

READ = [
    (v1.Payload(text="é\r\n"), b"\xc3\xa9\r\n"),
    (v1.Payload(text=""), b""),
    (v1.Payload(hex="00 ff\n0A\t"), b"\x00\xff\n"),
    (v1.Payload(hex="00ff0a"), b"\x00\xff\n"),
    (v1.Payload(hex=""), b""),
    (v1.Payload(base64="AP8K"), b"\x00\xff\n"),
    (v1.Payload(base64="AA=="), b"\x00"),
    (v1.Payload(file="reply"), b"from a file"),
    (v1.Bytes(hex="00"), b"\0"),
    (v1.Literal(text="PING", ignore_case=True), b"PING"),
]


@pytest.mark.parametrize("payload, data", READ)
def test_payload_is_decoded_to_its_bytes(payload: payloads.Source, data: bytes) -> None:
    assert payloads.decode(payload, {"reply": b"from a file"}) == data


REFUSED = [
    (v1.Payload(), "empty: set one of text, hex, base64, file, template"),
    (v1.Bytes(), "empty: set one of text, hex, base64, file"),
    (v1.Payload(template="a"), "a template is not the same bytes each time"),
    (v1.Payload(hex="abc"), "odd number of digits"),
    (v1.Payload(hex="a b c d"), "white space within a pair of digits"),
    (v1.Payload(hex="0x00"), "'x' is not a hexadecimal digit"),
    (v1.Payload(hex="0\u0660"), "'\u0660' is not a hexadecimal digit"),
    (v1.Payload(hex="00\u00a000"), "'\\xa0' is not a hexadecimal digit"),
    (v1.Payload(base64="AA"), "not base64: its length is no multiple of 4; it is padded with ="),
    (v1.Payload(base64="AA-_"), "not base64: '-' is not in its alphabet, A-Z a-z 0-9 + /"),
    (v1.Payload(base64="AAAA\n"), "not base64: '\\n' is not in its alphabet, A-Z a-z 0-9 + /"),
    (v1.Payload(base64="AA==AAAA"), "not base64: '=' is not in its alphabet, A-Z a-z 0-9 + /"),
    (v1.Payload(base64="A==="), "not base64: too much padding"),
    (v1.Payload(base64="===="), "not base64: too much padding"),
    (v1.Payload(base64="AB=="), "not base64: its last digit has bits that belong to no byte"),
]


@pytest.mark.parametrize("payload, why", REFUSED)
def test_invalid_payload_is_rejected(payload: payloads.Source, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        payloads.decode(payload, {})
    assert str(caught.value) == why


def test_payload_of_an_unread_file_raises_missing_file() -> None:
    with pytest.raises(payloads.MissingFile):
        payloads.decode(v1.Payload(file="nowhere"), {})


def test_payload_larger_than_16_mib_is_rejected() -> None:
    most = bytes(payloads.MAX_BYTES)
    assert payloads.decode(v1.Payload(file="f"), {"f": most}) == most
    with pytest.raises(ValueError, match="16777217 bytes; at most 16777216 are sent at once"):
        payloads.decode(v1.Payload(file="f"), {"f": most + b"x"})


@given(st.binary())
def test_hex_and_base64_payloads_carry_any_bytes(data: bytes) -> None:
    assert payloads.decode(v1.Payload(hex=data.hex(" ")), {}) == data
    assert payloads.decode(v1.Payload(base64=base64.b64encode(data).decode()), {}) == data


@given(st.text(alphabet="AB=+/-_ \n", max_size=12))
def test_accepted_base64_encodes_back_to_the_same_text(text: str) -> None:
    try:
        data = payloads.decode(v1.Payload(base64=text), {})
    except ValueError:
        return
    assert base64.b64encode(data).decode() == text
