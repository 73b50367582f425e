"""Bytes as a configuration gives them: what their fields may be."""

from answerback.language.fields import Field, Where, describe
from answerback.language.files import MAX_BYTES_IN_ALL
from answerback.language.payloads import MAX_BYTES
from answerback.v1 import config_pb2 as v1

SIZE = f"at most {MAX_BYTES >> 20} MiB, and all files together {MAX_BYTES_IN_ALL >> 20} MiB"

BYTES = describe(
    v1.Bytes,
    Where.RULE,
    text=Field(r'do: [framing: {delimiter: {end: {text: "\r\n.\r\n"}}}]'),
    hex=Field("do: [framing: {delimiter: {end: {hex: 03}}}]"),
    base64=Field("do: [framing: {delimiter: {end: {base64: AA==}}}]"),
    file=Field("do: [framing: {delimiter: {end: {file: end.bin}}}]", words=SIZE),
)
LITERAL = describe(
    v1.Literal,
    Where.RULE,
    text=Field('when: {prefix: {text: "MAIL FROM:"}}'),
    hex=Field("when: {prefix: {hex: 16 03 01}}"),
    base64=Field("when: {prefix: {base64: FgMB}}"),
    file=Field("when: {equals: {file: request.bin}}", words=SIZE),
    ignore_case=Field("when: {equals: {text: quit, ignore_case: true}}"),
)
PAYLOAD = describe(
    v1.Payload,
    Where.RULE,
    text=Field('do: [send: {text: "Hello, World!"}]'),
    hex=Field("do: [send: {hex: 52 00000008 00000000}]"),
    base64=Field("do: [send: {base64: AAECAw==}]"),
    file=Field("do: [send: {file: reply.bin}]", words=SIZE),
    template=Field(r'do: [send: {template: "$$${len(request)}\r\n"}]', words="see [expressions](expressions.md)"),
)
