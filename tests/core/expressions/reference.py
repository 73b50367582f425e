"""Another evaluator of expressions: Python's own, on the same names.

It is for texts that are valid, whose literals have no braces; what it makes of others means nothing. Every evaluation
begins again from the text.
"""

import ast
import base64
import hashlib
import hmac
import re
import urllib.parse
import uuid as uuids
import zlib
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar

from answerback.core.context import RequestContext

MOST = 1 << 20  # bytes of a result
WIDTHS = {"u8": 1, "u16": 2, "u24": 3, "u32": 4, "u64": 8}


Value = TypeVar("Value")


class Failed(Exception):
    """There is no value."""


class TooLong(Failed):
    """It would have too many bytes."""


def render(text: str, turn: RequestContext) -> bytes:
    """Fill in a template. Raises Failed."""
    made = b""
    while text:
        if text.startswith("$$"):
            made, text = made + b"$", text[2:]
        elif text.startswith("${"):
            inside, _, text = text[2:].partition("}")
            value = group(turn, int(inside)) if inside.strip().isdecimal() else evaluate(inside, turn)
            made += value if isinstance(value, bytes) else str(value).encode()
        else:
            made, text = made + text[0].encode(), text[1:]
    return checked(made)


def evaluate(text: str, turn: RequestContext) -> Any:
    """The value of an expression. Raises Failed."""
    tree = ast.fix_missing_locations(Checked().visit(ast.parse(text.strip(), mode="eval")))
    try:
        return eval(compile(tree, "<expression>", "eval"), {"__builtins__": {}}, Names(turn))
    except TooLong:
        raise
    except (ArithmeticError, LookupError, ValueError, Failed) as problem:
        raise Failed from problem


class Checked(ast.NodeTransformer):
    """Literals are bytes, every operation on ints has 64 bits, and bytes that are made are not too long."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Constant(node.value.encode()) if isinstance(node.value, str) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.LShift | ast.RShift):
            node.right = called("_shift", node.right)
        return called("_checked", node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return called("_checked", node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return called("_checked", node)


def called(name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), [argument], [])


def checked(value: Value) -> Value:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise Failed
    if isinstance(value, bytes) and len(value) > MOST:
        raise TooLong
    return value


def shift(bits: int) -> int:
    if not 0 <= bits <= 63:
        raise Failed
    return bits


class Variables:
    """`vars.NAME` and `vars['NAME']`."""

    def __init__(self, turn: RequestContext) -> None:
        self._turn = turn

    def __getattr__(self, name: str) -> bytes:
        return self._turn.variables.get(name, b"")

    def __getitem__(self, name: bytes) -> bytes:
        return self._turn.variables.get(name.decode(), b"")


def group(turn: RequestContext, key: Any) -> bytes:
    try:
        return (turn.captures and turn.captures.group(key)) or b""
    except IndexError:
        return b""


class Names(dict[str, Any]):
    """The names of a turn; what is no name of its own is a capture."""

    def __init__(self, turn: RequestContext) -> None:
        super().__init__(
            request=turn.request,
            request_number=turn.number,
            state=turn.state.encode(),
            listener=turn.listener.encode(),
            rule=b"",
            peer=SimpleNamespace(host=turn.peer[0].encode(), port=turn.peer[1]),
            proxy=SimpleNamespace(host=turn.proxy_host.encode()),
            local=SimpleNamespace(port=turn.local_port),
            connection=SimpleNamespace(id=turn.connection_id.encode(), number=turn.listener_number),
            vars=Variables(turn),
            captures=SimpleNamespace(),
            _checked=checked,
            _shift=shift,
            **functions(turn),
        )
        self["captures"] = Groups(turn)
        self._turn = turn

    def __missing__(self, name: str) -> bytes:
        return group(self._turn, name.encode())


class Groups:
    """`captures[KEY]`."""

    def __init__(self, turn: RequestContext) -> None:
        self._turn = turn

    def __getitem__(self, key: Any) -> bytes:
        return group(self._turn, key)


def number(data: bytes, base: int = 10) -> int:
    pattern = rb"-?[0-9]{1,20}" if base == 10 else rb"[0-9a-fA-F]{1,16}"
    if not re.fullmatch(pattern, data):
        raise Failed
    return int(checked(int(data, base)))


def read(data: bytes, order: Any) -> int:
    if len(data) > 8:
        raise Failed
    return int.from_bytes(data, order)


def packed(value: int, width: int, order: Any) -> bytes:
    return value.to_bytes(width, order)


def varint(value: int) -> bytes:
    if value < 0:
        raise Failed
    groups = []
    while True:
        groups.append(value % 128)
        value //= 128
        if not value:
            return bytes([each + 128 for each in groups[:-1]] + groups[-1:])


def ber_length(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    data = bytes.fromhex(f"{value:x}".zfill(len(f"{value:x}") + len(f"{value:x}") % 2))
    return bytes([128 + len(data)]) + data


def pad(value: int, width: int) -> bytes:
    if width < 0:
        raise Failed
    return str(value).zfill(width).encode()


def repeat(data: bytes, times: int) -> bytes:
    if times < 0:
        raise Failed
    return data * times if data else b""


def crc(data: bytes, polynomial: int, *, reflected: bool) -> int:
    """Bit by bit."""
    value = 0xFFFF
    for byte in data:
        if reflected:
            value ^= byte
            for _ in range(8):
                value = value // 2 ^ (polynomial if value % 2 else 0)
        else:
            value ^= byte * 256
            for _ in range(8):
                value = (value * 2 ^ (polynomial if value >= 0x8000 else 0)) % 65536
    return value


def xor(data: bytes, key: bytes) -> bytes:
    if not key:
        raise Failed
    return bytes(byte ^ key[index % len(key)] for index, byte in enumerate(data))


def xor8(data: bytes) -> int:
    made = 0
    for byte in data:
        made ^= byte
    return made


def dot_stuff(data: bytes) -> bytes:
    return b"\n".join(b"." + line if line.startswith(b".") else line for line in data.split(b"\n"))


def unbase64(data: bytes) -> bytes:
    made = base64.b64decode(data, validate=True)
    if base64.b64encode(made) != data:
        raise Failed
    return made


def written(form: bytes, moment: datetime) -> bytes:
    text = form.decode().replace("%s", str(int(moment.timestamp())))
    return moment.strftime(text).encode()


def uuid(turn: RequestContext) -> bytes:
    return str(uuids.UUID(int=turn.chance.getrandbits(128), version=4)).encode()


def randint(turn: RequestContext, least: int, most: int) -> int:
    if least > most:
        raise Failed
    return turn.chance.randint(least, most)


def random(turn: RequestContext, size: int) -> bytes:
    if size < 0:
        raise Failed
    return turn.chance.randbytes(size)


def functions(turn: RequestContext) -> dict[str, Callable[..., Any]]:
    """All of them, in other words than those of the language."""
    packing: dict[str, Callable[..., Any]] = {
        name + suffix: lambda value, width=width, order=order: packed(value, width, order)
        for name, width in WIDTHS.items()
        for suffix, order in (("be", "big"), ("le", "little"))
    }
    packing["u8"] = lambda value: packed(value, 1, "big")
    return packing | {
        "len": len,
        "str": lambda value: str(value).encode(),
        "int": number,
        "be": lambda data: read(data, "big"),
        "le": lambda data: read(data, "little"),
        "varint": varint,
        "ber_length": ber_length,
        "pad": pad,
        "min": min,
        "max": max,
        "upper": bytes.upper,
        "lower": bytes.lower,
        "strip": bytes.strip,
        "split": lambda data, separator, at: data.split(separator)[at],
        "find": bytes.find,
        "replace": bytes.replace,
        "reverse": lambda data: bytes(reversed(data)),
        "repeat": repeat,
        "dot_stuff": dot_stuff,
        "hex": lambda data: data.hex().encode(),
        "unhex": lambda data: bytes.fromhex(data.decode()),
        "base64": base64.b64encode,
        "unbase64": unbase64,
        "urlquote": lambda data: urllib.parse.quote_from_bytes(data, safe="").encode(),
        "urlunquote": urllib.parse.unquote_to_bytes,
        "md5": lambda data: hashlib.new("md5", data).digest(),
        "sha1": lambda data: hashlib.new("sha1", data).digest(),
        "sha256": lambda data: hashlib.new("sha256", data).digest(),
        "hmac_sha256": lambda key, data: hmac.new(key, data, "sha256").digest(),
        "crc16": lambda data: crc(data, 0xA001, reflected=True),
        "crc16_ccitt": lambda data: crc(data, 0x1021, reflected=False),
        "crc32": lambda data: zlib.crc32(data) & 0xFFFFFFFF,
        "sum8": lambda data: sum(data) % 256,
        "xor8": xor8,
        "lrc": lambda data: (256 - sum(data) % 256) % 256,
        "xor": xor,
        "matches": lambda data, pattern: re.search(pattern, data) is not None,
        "randint": lambda least, most: randint(turn, least, most),
        "random": lambda size: random(turn, size),
        "uuid": lambda: uuid(turn),
        "now": lambda form: written(form, turn.wall_clock()),
        "unix": lambda: int((turn.wall_clock() - datetime.fromtimestamp(0, turn.wall_clock().tzinfo)).total_seconds()),
    }
