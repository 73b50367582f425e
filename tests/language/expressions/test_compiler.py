"""Types and names: what is rejected, and what to write instead."""

import pytest

from answerback.core.expressions import Reads, Type
from answerback.language.captures import NONE, Captures
from answerback.language.expressions import FramingField, Scope, compile_expression, is_reserved, is_variable
from tests.core.turns import Groups, MadeUp
from tests.language.expressions.evaluating import FAILED, captured, rejected, rendered, value_of

TYPES = [
    ("u16be(body)", 6, "u16be(n) takes an int, and body is bytes: write int(body) for digits, be(body) or le(body)"),
    ("hex(1)", 4, "hex(x) takes bytes, and 1 is an int: write str(1) for its digits, u8(1) for one byte"),
    ("hex(True)", 4, "hex(x) takes bytes, and True is a bool: write 'yes' if True else 'no'"),
    ("u8(True)", 3, "u8(n) takes an int, and True is a bool: write 1 if True else 0"),
    ("'a' + 1", 6, "`+` takes two values of one type, not bytes and an int: write str(1) for its digits"),
    ("1 + 'a'", 4, "`+` takes two values of one type, not an int and bytes: write str(1) for its digits"),
    ("True + True", 0, "`+` takes bytes or ints, not bools"),
    ("'a' * 3", 0, "`*` takes an int, and x is bytes: write int(x) for digits"),
    ("'%d' % 3", 0, "`%` takes an int, and x is bytes"),
    ("1 + True", 4, "`+` takes bytes or ints, not bools"),
    ("vars.user-name", 0, "`-` takes ints; for a variable with a - in its name, write vars['user-name']"),
    ("body - 1", 0, "`-` takes an int, and body is bytes: write int(body) for digits"),
    ("~body", 1, "`~` takes an int, and body is bytes"),
    ("+1", 0, "there is no + before a value"),
    ("1 / 2", 2, "to divide, write //"),
    ("1 @ 2", 2, "'@' has no meaning in an expression"),
    ("not body", 4, "`not` takes a bool, and body is bytes: write body != ''"),
    ("1 and True", 0, "`and` takes a bool, and 1 is an int: write 1 != 0"),
    ("True or body", 8, "`or` takes a bool, and body is bytes: write body != ''"),
    ("'a' if body else 'b'", 7, "the condition of `if` takes a bool, and body is bytes: write body != ''"),
    ("'a' if True else 1", 17, "`if … else` takes two values of one type, not bytes and an int: write str(1)"),
    ("body == 1", 8, "`==` takes two values of one type, not bytes and an int: write str(1) for its digits"),
    ("1 < 2 < body", 8, "`<` takes two values of one type, not an int and bytes: write int(body) for digits"),
    ("True < False", 0, "`<` takes bytes or ints"),
    ("1 in body", 0, "`in` takes bytes, and 1 is an int: write str(1) for its digits, u8(1) for one byte"),
    ("body in 1", 8, "`in` takes bytes, and 1 is an int"),
    ("len(body)[0]", 0, "only bytes have indexes and slices, and this is an int"),
    ("body['a']", 5, "an index takes an int, and x is bytes"),
    ("body['a':]", 5, "the bound of a slice takes an int, and x is bytes"),
    ("body[0:4:2]", 9, "a slice has no step; reverse(x) turns bytes round"),
    ("body[0:4, 1]", 5, "there are no tuples in an expression"),
    ("[1]", 0, "there are no lists in an expression"),
    ("(1, 2)", 0, "there are no tuples in an expression"),
    ("f(*body)", 0, "unknown function 'f'"),
    ("len(*body)", 4, "there are no arguments with *"),
    ("len(x=body)", 5, "to compare, write ==; arguments have no names"),
    ("len()", 0, "0 arguments; write len(x)"),
    ("len(body, body)", 0, "2 arguments; write len(x)"),
    ("int(body, 16, 16)", 0, "3 arguments; write int(x[, base])"),
    ("int(body, 8)", 0, "a base is 10 or 16, not 8"),
    ("int(body, len(body))", 10, "base of int(x[, base]) is a literal"),
    ("min(1)", 0, "1 arguments; write min(n, m, …)"),
    ("split(body, '', 1)", 0, "a separator has at least one byte"),
    ("split(body, body, 1)", 12, "separator of split(x, separator, i) is a literal"),
    ("matches(body, '(')", 0, "invalid RE2: missing )"),
    (r"matches(body, b'\xff')", 0, "text is expected, and this is not UTF-8"),
    ("json(body, 'a..b')", 0, "not a path: names, separated by dots, and indexes, as in a.b[0], not 'a..b'"),
    ("now('%c')", 0, "unknown directive %c; known: % A a B b"),
    ("reqest", 0, "unknown name 'reqest'; did you mean request?"),
    ("xyzzy", 0, "unknown name 'xyzzy'; captures: body, from, what"),
    ("peer", 0, "unknown name 'peer'; did you mean"),
    ("peer.hots", 0, "unknown name 'peer.hots'; did you mean peer.host?"),
    ("request.__class__", 0, "unknown name 'request.__class__'"),
    ("len.__call__(body)", 0, "unknown function 'len.__call__'"),
    ("''.join(body)", 0, "only a function stands before ("),
    ("body.upper()", 0, "unknown function 'body.upper'; did you mean upper?"),
    ("__import__('os')", 0, "unknown function '__import__'"),
    ("''.x", 0, "a dot stands only in names, as in vars.user"),
    ("request()", 0, "request is not a function: write it without ( )"),
    ("body()", 0, "body is not a function: write it without ( )"),
    ("vars.a('x')", 0, "vars.a is not a function: write it without ( )"),
    ("len", 0, "len is a function: write len(x)"),
    ("uuid", 0, "uuid is a function: write uuid()"),
    ("request.number", 0, "it is called request_number"),
    ("vars", 0, "write vars['NAME']"),
    ("captures", 0, "write captures['NAME']"),
    ("vars['a b']", 5, "'a b' is not the name of a variable: letters, digits, _ and -, no digit first"),
    ("vars[0]", 5, "the name of a variable is expected: write vars['NAME']"),
    ("vars[body]", 5, "vars[…] takes a literal"),
    ("captures[body]", 9, "captures[…] takes a literal"),
    ("captures[True]", 9, "captures[…] takes a literal"),
    ("captures['no']", 9, "no capture 'no'; captures: body, from, what"),
    ("captures[3]", 9, "no capture 3: they are 1 to 2"),
    ("captures[0]", 9, "no capture 0: they are 1 to 2"),
    ("1 // 0", 0, "fails each time: division by zero"),
    ("2 % (1 - 1)", 0, "fails each time: division by zero"),
    ("9223372036854775808 * 4", 0, "fails each time: the result is out of range: ints are -2**63 to 2**64 - 1"),
    ("1 << 64", 0, "fails each time: a shift by 64 bits: 0 to 63 are possible"),
    ("'abc'[3]", 0, "fails each time: there is no byte 3: there are 3"),
    ("int('x')", 0, "fails each time: int: 'x' is not a number of 1 to 20 digits"),
    ("unhex('0')", 0, "fails each time: unhex: not pairs of hexadecimal digits"),
    ("repeat('a', 1048577)", 0, "fails each time: makes more than 1048576 bytes"),
    ("18446744073709551616", 0, "too large: ints are -2**63 to 2**64 - 1"),
    ("...", 0, "there are bytes, ints, True and False in an expression"),
    (".5", 0, "there are bytes, ints, True and False in an expression"),
]


@pytest.mark.parametrize("text, position, message", TYPES, ids=[text for text, _, _ in TYPES])
def test_wrong_type_or_name_is_rejected_with_what_to_write(text: str, position: int, message: str) -> None:
    told, at = rejected(text)
    assert told.startswith(message), told
    assert at == position


@pytest.mark.parametrize(
    "text, wanted, message",
    [
        ("body", Type.INT, "an int is expected, and this is bytes: write int(body) for digits"),
        ("len(body)", Type.BOOL, "a bool is expected, and this is an int: write x != 0"),
        ("request", Type.BOOL, "a bool is expected, and this is bytes: write request != ''"),
        ("${size}", Type.INT, "an expression is written without ${ } here: write int(size)"),
        ("${u16be:request[2:4]}", Type.INT, "an expression is written without ${ } here: write be(request[2:4])"),
        ("${u16le:vars.n}", Type.INT, "an expression is written without ${ } here: write le(vars.n)"),
        ("${len:key}", Type.INT, "an expression is written without ${ } here: write len(key)"),
        ("${1}", Type.INT, "an expression is written without ${ } here: write int(captures[1])"),
        ("len:body", Type.INT, "the argument of a function stands in parentheses: write len(body)"),
    ],
)
def test_expression_of_another_type_is_rejected(text: str, wanted: Type, message: str) -> None:
    told, _ = rejected(text, wanted)
    assert told.startswith(message), told


OLD = {
    "len:request": "len(request)",
    "u16be:len:request": "u16be(len(request))",
    "tohex:random:8": "hex(random(8))",
    "now:%Y-%m-%dT%H:%M:%SZ": "now('%Y-%m-%dT%H:%M:%SZ')",
    "hex:00 2a": "unhex('00 2a')",
    "or:request[7],0x80": "u8(request[7] | 0x80)",
    "xor:1, 0x20": "u8(1 ^ 0x20)",
    "pad3:sum8:body": "pad(sum8(body), 3)",
    "tohex:len:request": "hex(str(len(request)))",
    "tohex:u32be:crc32:body": "hex(u32be(crc32(body)))",
    "u8:request[0:1]": "u8(be(request[0:1]))",
    "len:request[4]": "len(request[4:5])",
    "len:request[-1]": "len(request[-1:])",
    "len:2": "len(captures[2])",
    "upper:vars.a-b": "upper(vars['a-b'])",
    "u16be:u16le:request[0:2]": "u16be(be(u16le(be(request[0:2]))))",
    "or:0x01,hex:02": "u8(0x01 | be(unhex('02')))",
}


@pytest.mark.parametrize("former, today", OLD.items())
def test_former_syntax_is_rejected_with_todays(former: str, today: str) -> None:
    template = "a${" + former + "}b"
    with pytest.raises(ValueError, match="the argument of a function stands in parentheses") as problem:
        rendered(template)
    assert str(problem.value) == f"at 3: the argument of a function stands in parentheses: write ${{{today}}}"
    assert isinstance(rendered("${" + today + "}", MadeUp(b"abcdefgh")), bytes)


@pytest.mark.parametrize(
    "text", ["1 +", "1 2", "1 < ", "(1))"[:3] + "1", "not", "a..b", "if", "1 if 2", "x[]", "len(,)"]
)
def test_incomplete_expression_is_rejected(text: str) -> None:
    message, position = rejected(text, Type.INT)
    assert message in {"a value or an operator is missing, or one is too many", "( without its )"}
    assert 0 <= position <= len(text)


@pytest.mark.parametrize("text", ["foo:bar", ":", "len:", "or:1", "pad3", "len:request:4", "a" * 900 + ":b"])
def test_other_colon_is_rejected_without_a_guess(text: str) -> None:
    if ":" in text:
        message = rejected("'' + " + text)[0]
        assert message == "the argument of a function stands in parentheses"
        with pytest.raises(ValueError, match=r"stands in parentheses$"):
            rendered("${" + text + "}")


def test_names_read_the_turn() -> None:
    turn = MadeUp(
        b"GET \xff",
        Groups({1: b"one", b"body": b"b\xff", b"from": b"f"}),
        peer=("::1", 5),
        local_port=80,
        listener="hörer",
        connection_id="c-1",
        number=12,
        state="naïve",
        variables={"a": b"\x00", "b-2": b"x"},
    )
    expected: dict[str, bytes | int] = {
        "request": b"GET \xff",
        "peer.host": b"::1",
        "peer.port": 5,
        "local.port": 80,
        "listener": "hörer".encode(),
        "connection.id": b"c-1",
        "request_number": 12,
        "state": "naïve".encode(),
        "rule": b"store",
        "vars.a": b"\x00",
        "vars['b-2']": b"x",
        "vars.none": b"",
        "captures[1]": b"one",
        "captures[2]": b"",
        "body": b"b\xff",
        "what": b"",
        "captures['from']": b"f",
    }
    for text, value in expected.items():
        assert value_of(text, turn) == value, text


def test_capture_may_have_the_name_of_a_function() -> None:
    scope = Scope(captures=Captures(frozenset({"len", "now"}), 2))
    assert value_of("len(len) + len(now)", captured(len=b"ab", now=b"c"), scope) == 3
    assert rejected("now('%c'", scope=scope)[0] == "( without its )"


def test_capture_without_any_group_is_rejected() -> None:
    with pytest.raises(ValueError, match="no capture 1: no regex with a group makes the rule match"):
        rendered("${1}", scope=Scope(captures=NONE))


@pytest.mark.parametrize("text", ["request", "captures[1]", "body", "len(request) == 3 or state == ''", "http.method"])
def test_what_belongs_to_a_request_is_rejected_for_other_events(text: str) -> None:
    scope = Scope(Captures(frozenset({"body"}), 1), event="CONNECT", fields={"http.method": METHOD})
    assert rejected(text, scope=scope)[0] == "CONNECT has no request"
    with pytest.raises(ValueError, match="CONNECT has no request"):
        rendered("${1}", scope=scope)


def test_everything_else_exists_for_other_events() -> None:
    scope = Scope(event="EOF")
    for text in ("state", "vars.a", "peer.host", "request_number", "uuid()", "now('%Y')", "listener", "rule"):
        value_of(text, MadeUp(), scope)


METHOD = FramingField(
    "http.method", Type.BYTES, lambda context: context.request.partition(b" ")[0], "the method", "http.method", "GET"
)
HEADER = FramingField(
    "http.header",
    Type.BYTES,
    lambda context, name: name + b"=" + context.request,
    "a header",
    "http.header('host')",
    "host=",
    (Type.BYTES,),
)
ARGUMENT = FramingField(
    "resp.args",
    Type.BYTES,
    lambda context, at: context.request.split()[at],
    "an argument",
    "resp.args[0]",
    "GET",
    index=True,
)
FIELDS = Scope(fields={field.name: field for field in (METHOD, HEADER, ARGUMENT)})


def test_fields_of_a_framing_are_names_functions_and_lists() -> None:
    turn = MadeUp(b"GET /a b")
    assert value_of("http.method", turn, FIELDS) == b"GET"
    assert value_of("upper(http.header('h' + 'o'))", turn, FIELDS) == b"HO=GET /A B"
    assert value_of("resp.args[1 + 1] + resp.args[0][1:]", turn, FIELDS) == b"bET"
    assert rendered("${resp.args[1]}", turn, FIELDS) == b"/a"
    assert compile_expression("http.method", Type.BYTES, FIELDS).reads & Reads.FRAMING


@pytest.mark.parametrize(
    "text, message",
    [
        ("http.method", "unknown name 'http.method'"),
        ("http.header('a')", "unknown function 'http.header'"),
        ("resp.args[0]", "unknown name 'resp.args'"),
    ],
)
def test_field_is_rejected_where_no_framing_provides_it(text: str, message: str) -> None:
    assert rejected(text)[0].startswith(message)


@pytest.mark.parametrize(
    "text, message",
    [
        ("http.header", "http.header is a function: write http.header('…')"),
        ("http.header()", "http.header takes 1, not 0 arguments"),
        ("http.header(1)", "an argument of http.header takes bytes, and 1 is an int"),
        ("resp.args", "write resp.args[0]"),
        ("resp.args['a']", "an index of resp.args takes an int"),
        ("resp.args[0:1]", "there are no"),
        ("http.method()", "unknown function 'http.method'"),
    ],
)
def test_wrong_use_of_a_field_is_rejected(text: str, message: str) -> None:
    told = rejected(text, scope=FIELDS)[0]
    assert told.startswith(message) or told == "a slice stands behind a value, as in request[4:]"


def test_roots_of_names_are_reserved() -> None:
    for name in ("request", "peer", "local", "listener", "rule", "connection", "state", "vars", "captures"):
        assert is_reserved(name)
    assert not any(is_reserved(name) for name in ("body", "len", "u8", "Request", "from"))


def test_variable_names_follow_the_rules() -> None:
    assert all(map(is_variable, ["a", "_", "retry-count", "a1"]))
    assert not any(map(is_variable, ["", "1", "-a", "a b", "a.b", "é", "a[0]"]))


@pytest.mark.parametrize(
    "text",
    [
        "request[9]",
        "request[-3]",
        "int(request)",
        "int(request, 16)",
        "be(request + '1234567')",
        "1 // len(vars.none)",
        "1 % len(vars.none)",
        "1 << len(request) * 32",
        "len(request) - 9223372036854775807 - 9223372036854775807",
        "u8(len(request) - 3)",
        "u8(len(request) + 254)",
        "varint(-len(request))",
        "ber_length(-len(request))",
        "pad(1, -len(request))",
        "repeat(request, -1)",
        "split(request, ',', 1)",
        "split(request, ',', -2)",
        "unhex(request)",
        "unbase64(request)",
        "xor(request, vars.none)",
        "json(request, 'a')",
        "randint(len(request), 1)",
        "random(-len(request))",
        "len(repeat(request, 524289)) == 0",
        "True and request[9] == 1",
        "0 if request[9] == 1 else 1",
    ],
)
def test_evaluation_without_a_value_fails(text: str) -> None:
    assert value_of(text, MadeUp(b"xy")) == FAILED


@pytest.mark.parametrize(
    "text, value",
    [
        ("False and request[9] == 1", False),
        ("len(request) == 2 or request[9] == 1", True),
        ("1 if len(request) == 2 else request[9]", 1),
        ("len(request) > 5 > request[9]", False),
        ("request[5:9] + vars.none + what", b""),
        ("find(request, 'z')", -1),
    ],
)
def test_parts_that_are_not_evaluated_do_not_fail(text: str, value: object) -> None:
    assert value_of(text, MadeUp(b"xy")) == value


def test_constants_are_folded() -> None:
    for text, wanted, value in (
        ("'a' + 'b' + 'c'", Type.BYTES, b"abc"),
        ("len('abc') * 2 - 1", Type.INT, 5),
        ("1 < 2 < 3 and not False", Type.BOOL, True),
        ("1 < 3 < 2", Type.BOOL, False),
        ("False and request == ''", Type.BOOL, False),
        ("'abc'[1:2] if 'b' in 'abc' else request", Type.BYTES, b"b"),
        ("u16be(crc16_ccitt('123456789'))", Type.BYTES, b"\x29\xb1"),
        ("rule", Type.BYTES, b"it"),
        ("pad(7, 3)", Type.BYTES, b"007"),
    ):
        compiled = compile_expression(text, wanted, Scope(rule="it"))
        assert compiled.constant == value, text
        assert compiled.reads is Reads.NOTHING
    for text in ("uuid()", "random(1)", "now('%%')", "request", "state", "'a' if request == '' else 'a'"):
        assert compile_expression(text, Type.BYTES, Scope()).constant is None, text


@pytest.mark.parametrize(
    "text, reads",
    [
        ("request == 'a'", Reads.REQUEST),
        ("request[0:1] in body", Reads.REQUEST | Reads.CAPTURES),
        ("state == 'a' and 'a' == request", Reads.STATE | Reads.REQUEST),
        ("vars.a == what", Reads.CONNECTION | Reads.CAPTURES),
        ("peer.port > request_number", Reads.CONNECTION),
        ("randint(1, 2) == 1", Reads.CHANCE),
        ("unix() > len(request)", Reads.CLOCK | Reads.REQUEST),
        ("True if state == '' else request == ''", Reads.STATE | Reads.REQUEST),
        ("request[len(vars.n):] == ''", Reads.REQUEST | Reads.CONNECTION),
        ("1 < len(request) < len(state)", Reads.REQUEST | Reads.STATE),
    ],
)
def test_condition_declares_what_it_reads(text: str, reads: Reads) -> None:
    scope = Scope(captures=Captures(frozenset({"body", "what"}), 2))
    assert compile_expression(text, Type.BOOL, scope).reads == reads


@pytest.mark.parametrize(
    "text, value",
    [
        ("18446744073709551614 + len(vars.x)", 2**64 - 1),
        ("18446744073709551615 + len(vars.x)", FAILED),
        ("-9223372036854775807 - len(vars.x)", -(2**63)),
        ("-9223372036854775807 - len(vars.x) - len(vars.x)", FAILED),
        ("9223372036854775808 * (len(vars.x) + 1)", FAILED),
        ("~(18446744073709551614 + len(vars.x))", FAILED),
        ("len(vars.x) << 63", 2**63),
        ("len(vars.x) << 64", FAILED),
        ("len(vars.x) << -1 * len(vars.x)", FAILED),
        ("len(vars.x) >> 63", 0),
        ("len(vars.x) >> 64", FAILED),
        ("-len(vars.x) // 2", -1),
        ("-len(vars.x) % 5", 4),
    ],
)
def test_int_of_64_bits_is_made_and_a_larger_one_fails(text: str, value: object) -> None:
    assert value_of(text, MadeUp(variables={"x": b"1"})) == value


@pytest.mark.parametrize("text, holds", [("1 < len(request) < 3", True), ("1 < len(request) < 2", False)])
def test_chain_compares_each_value_with_the_next(text: str, holds: bool) -> None:
    assert value_of(text, MadeUp(b"ab")) is holds
    assert value_of("1 < len(request) > 1 == 1", MadeUp(b"ab")) is True
    assert value_of("3 > len(request) < 3 < 2", MadeUp(b"ab")) is False
    assert value_of("9 > len(request) > 1", MadeUp(b"a")) is False


def test_operators_nest_32_deep_and_no_deeper() -> None:
    def nested(depth: int) -> str:
        return "len(request)" if depth == 2 else f"({nested(depth - 1)}) * 1"

    def parts(depth: int) -> str:
        return (
            nested(depth)
            .replace("(len(request))", "len(request)")
            .replace("(", "")
            .replace(")", "")
            .replace("lenrequest", "len(request)")
        )

    assert value_of(parts(32), MadeUp(b"ab")) == 2
    assert rejected(parts(33), Type.INT)[0] == "nested more than 32 deep"
