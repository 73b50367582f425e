"""A second renderer of templates, written plainly: it parses the text for each request.

It is for texts that are templates; what it makes of others means nothing.
"""

import re
import uuid
import zlib
from datetime import datetime

from answerback.core.context import RequestContext

PLAIN = r"request\.number|request|peer\.host|peer\.port|local\.port|listener|connection\.id|state|uuid|vars\.[\w-]+|\w+"
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


def render(text: str, turn: RequestContext) -> bytes:
    made = b""
    while text:
        if text.startswith("$$"):
            made, text = made + b"$", text[2:]
        elif text.startswith("${"):
            value, rest = evaluate(text[2:], turn, wants_number=False)
            made, text = made + to_bytes(value), rest[1:]
        else:
            made, text = made + text[0].encode(), text[1:]
    return made


def to_bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def to_number(value: bytes | int) -> int:
    if isinstance(value, int):
        return value
    total = 0
    for byte in value:
        total = (total * 256 + byte) % 2**64
    return total


def evaluate(text: str, turn: RequestContext, *, wants_number: bool) -> tuple[bytes | int, str]:
    """The value that the text begins with, and what is behind it."""
    value: bytes | int
    if found := re.match(r"hex:([^,}]*)", text):
        value = bytes.fromhex(found[1])
    elif found := re.match(r"now:([^}]*)", text):
        value = written(found[1], turn.wall_clock())
    elif found := re.match(r"random:(\d+)", text):
        value = turn.chance.randbytes(int(found[1]))
    elif found := re.match(r"(\w+):", text):
        return call(found[1], text[found.end() :], turn)
    elif (found := re.match(r"0x[0-9a-fA-F]+", text)) or (wants_number and (found := re.match(r"\d+", text))):
        value = int(found[0], 0)
    else:
        found = re.match(PLAIN, text)
        assert found is not None
        value, rest = look_up(found[0], turn), text[found.end() :]
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            return part(to_bytes(value), inside), rest
    return value, text[found.end() :]


def written(form: str, moment: datetime) -> bytes:
    return re.sub("%s", str(int(moment.timestamp())), moment.strftime(form.replace("%s", "%%s"))).encode()


def part(data: bytes, inside: str) -> bytes:
    def place(index: int) -> int:
        return index if index >= 0 else len(data) + index

    if ":" in inside:
        start, stop = inside.split(":")
        first = place(int(start)) if start else 0
        last = place(int(stop)) if stop else len(data)
    else:
        first = place(int(inside))
        last = first + 1
    return bytes(byte for index, byte in enumerate(data) if first <= index < last)


def look_up(word: str, turn: RequestContext) -> bytes | int:
    if word.startswith("vars."):
        return turn.variables.get(word[5:], b"")
    plain: dict[str, bytes | int] = {
        "request": turn.request,
        "request.number": turn.number,
        "peer.host": turn.peer[0].encode(),
        "peer.port": turn.peer[1],
        "local.port": turn.local_port,
        "listener": turn.listener.encode(),
        "connection.id": turn.connection_id.encode(),
        "state": turn.state.encode(),
    }
    if word in plain:
        return plain[word]
    if word == "uuid":
        return str(uuid.UUID(int=turn.chance.getrandbits(128), version=4)).encode()
    if turn.captures is None:
        return b""
    group: object = int(word) if word.isdigit() else word.encode()
    try:
        return turn.captures.group(group) or b""  # type: ignore[arg-type]
    except IndexError:
        return b""


def call(name: str, text: str, turn: RequestContext) -> tuple[bytes | int, str]:
    packing = re.fullmatch(r"(u8|u16|u32|u64)(be|le)?", name)
    padding = re.fullmatch(r"pad(\d+)", name)
    numeric = packing is not None or padding is not None or name in {"or", "xor"}
    value, text = evaluate(text, turn, wants_number=numeric)
    if packing is not None:
        width = WIDTHS[packing[1]]
        packed = (to_number(value) % 256**width).to_bytes(width, "big")
        return packed[::-1] if packing[2] == "le" else packed, text
    if padding is not None:
        return str(to_number(value)).rjust(int(padding[1]), "0").encode(), text
    if name in {"or", "xor"}:
        other, text = evaluate(text[1:].lstrip(" "), turn, wants_number=True)
        one, two = to_number(value) % 256, to_number(other) % 256
        return bytes([one | two if name == "or" else one ^ two]), text
    data = to_bytes(value)
    made: dict[str, bytes | int] = {
        "len": len(data),
        "crc32": zlib.crc32(data),
        "sum8": sum(data) % 256,
        "tohex": "".join(f"{byte:02x}" for byte in data).encode(),
        "upper": bytes(byte - 32 if 97 <= byte <= 122 else byte for byte in data),
        "lower": bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in data),
    }
    return made[name], text
