import pytest

from answerback.core import framing
from answerback.language.context import Compiling
from answerback.language.framing import compile_framing
from answerback.language.framing.read import DEFAULT_READ_BYTES
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener

COMPILED = {
    "read": framing.Read(DEFAULT_READ_BYTES),
    "{read: {max_bytes: 7}}": framing.Read(7),
    "line": framing.Line(keep_ending=False),
    "{line: {keep_ending: true}}": framing.Line(keep_ending=True),
    '{delimiter: "\\r\\n.\\r\\n"}': framing.Delimiter(b"\r\n.\r\n", keep=False),
    "{delimiter: {end: {hex: 00 ff}, keep: true}}": framing.Delimiter(b"\x00\xff", keep=True),
    "{delimiter: {end: {file: end}}}": framing.Delimiter(b"from a file"),
    r"{pattern: {end: '\xff+;'}}": framing.Pattern(r"\xff+;"),
    "{fixed: {size: 4}}": framing.Fixed(4),
    "{length_prefix: {width: 2}}": framing.LengthPrefix(0, 2, framing.Encoding.BIG_ENDIAN, adjust=0, strip=False),
    "{length_prefix: {offset: 1, width: 4, encoding: LITTLE_ENDIAN, adjust: -4, strip: true}}": framing.LengthPrefix(
        1, 4, framing.Encoding.LITTLE_ENDIAN, adjust=-4, strip=True
    ),
    "{length_prefix: {width: 2, encoding: BIG_ENDIAN}}": framing.LengthPrefix(0, 2),
    "{length_prefix: {width: 4, encoding: DECIMAL}}": framing.LengthPrefix(0, 4, framing.Encoding.DECIMAL),
    "{length_prefix: {until: {hex: 20}, encoding: HEX}}": framing.LengthPrefix(0, 0, framing.Encoding.HEX, b" "),
    "{length_prefix: {encoding: VARINT}}": framing.LengthPrefix(encoding=framing.Encoding.VARINT),
    "{length_prefix: {offset: 1, encoding: BER}}": framing.LengthPrefix(offset=1, encoding=framing.Encoding.BER),
    "{idle: {gap: 50ms}}": framing.Idle(0.05),
    "until_eof": framing.UntilEof(),
    "http": framing.Http(),
    "{http: {head_first: true}}": framing.Http(head_first=True),
    "resp": framing.Resp(),
    "dot_stuffed": framing.DotStuffed(),
    "websocket": framing.WebSocket(),
    "{dot_stuffed: {keep: true}}": framing.DotStuffed(keep=True),
}


@pytest.mark.parametrize("text, compiled", COMPILED.items())
def test_framing_compiles_to_its_core_object(text: str, compiled: framing.Framing) -> None:
    assert compile_framing(listener(framing=text).listeners[0].framing, Compiling({"end": b"from a file"})) == compiled


def test_framing_defaults_to_read_of_1024_bytes() -> None:
    assert compile_framing(v1.Framing(), Compiling({})) == framing.Read(1024)


def test_each_framing_has_a_compile_test() -> None:
    given = {listener(framing=text).listeners[0].framing.WhichOneof("kind") for text in COMPILED}
    assert given == {field.name for field in v1.Framing.DESCRIPTOR.fields}
