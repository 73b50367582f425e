"""What holds for every text, every expression and every turn; Python's own evaluation says what an expression is."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from answerback.core.expressions import MAX_OUTPUT, EvaluationError, Type, Work
from answerback.language.captures import Captures
from answerback.language.expressions import (
    ExpressionError,
    Scope,
    compile_expression,
    compile_template,
)
from answerback.language.expressions.functions import FUNCTIONS
from tests.core.expressions import reference
from tests.core.turns import Groups, MadeUp

NAMES = frozenset({"key", "what"})
SCOPE = Scope(captures=Captures(NAMES, 2))
LITERALS = {
    "separator": ["','", "' '", "'ab'"],
    "pattern": ["'^a'", "'[0-9]+'", "'b?c'"],
    "format": ["'%Y %j'", "'%s'"],
}
KNOWN = frozenset(reference.functions(MadeUp()))  # all functions but `json`, which has tests of its own

some_bytes = st.binary(max_size=12) | st.sampled_from(
    [b"42", b"-7", b"00ff", b"a,b c,", b"YWI=", b"%41b", b"\n.\n", b"."]
)


def literal(data: bytes) -> str:
    return "b'" + "".join(f"\\x{byte:02x}" for byte in data) + "'"


bytes_leaves = st.one_of(
    st.sampled_from(
        ["request", "state", "listener", "vars.a", "vars['b-2']", "key", "what", "captures[1]", "captures['key']"]
    ),
    st.sampled_from(["peer.host", "connection.id", "rule", "uuid()", "'é\\n'", "r'\\d'"]),
    some_bytes.map(literal),
)
int_leaves = st.one_of(
    st.sampled_from(["peer.port", "local.port", "request_number", "unix()", "0x7f", "18446744073709551615"]),
    st.integers(0, 300).map(str),
    st.sampled_from([7, 8, 15, 16, 24, 31, 32, 63, 64])
    .flatmap(lambda bits: st.integers(2**bits - 1, 2**bits))
    .map(lambda number: str(min(number, 2**64 - 1))),
)
bool_leaves = st.sampled_from(["True", "False", "state == 'ready'"])


LEAVES = {Type.BYTES: bytes_leaves, Type.INT: int_leaves, Type.BOOL: bool_leaves}
SLOTS = {"x": Type.BYTES, "n": Type.INT, "c": Type.BOOL}
ARITHMETIC = ["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"]
ORDER = ["==", "!=", "<", "<=", ">", ">="]
FORMS = {
    Type.BYTES: [
        *("CALL", "CALL", "({x} + {x})", "({x} + {x} + {x})", "({x} if {c} else {x})"),
        *("{x}[{n}:{n}]", "{x}[:3]", "{x}[-2:]", "{x}[1:-1]", "{x}[{n}:]"),
    ],
    Type.INT: [
        *("CALL", "CALL", "(-{n})", "(~{n})", "{x}[0]", "{x}[-2]", "{x}[3]", "({n} if {c} else {n})"),
        *(f"({{n}} {operator} {{n}})" for operator in ARITHMETIC),
    ],
    Type.BOOL: [
        *(
            "CALL",
            "({x} in {x})",
            "({x} not in {x})",
            "({c} and {c})",
            "({c} or {c})",
            "(not {c})",
            "({n} < {n} <= {n})",
        ),
        *(f"({slot} {operator} {slot})" for operator in ORDER for slot in ("{x}", "{n}")),
    ],
}


@st.composite
def expressions(draw: st.DrawFn, wanted: Type, depth: int = 3) -> str:
    """An expression of a type."""
    if not depth or not draw(st.integers(0, 4)):
        return draw(LEAVES[wanted])
    form = draw(st.sampled_from(FORMS[wanted]))
    if form == "CALL":
        return draw(calls(wanted, depth - 1))
    return re.sub(r"\{(.)\}", lambda slot: draw(expressions(SLOTS[slot[1]], depth - 1)), form)


@st.composite
def calls(draw: st.DrawFn, wanted: Type, depth: int) -> str:
    """A call of any function that makes this type."""
    named = sorted(name for name, each in FUNCTIONS.items() if each.result is wanted and name in KNOWN)
    function = FUNCTIONS[draw(st.sampled_from(named))]
    arguments = []
    for parameter in function.parameters:
        if parameter.optional and draw(st.booleans()):
            break
        if parameter.literal and parameter.type is Type.BYTES:
            arguments.append(draw(st.sampled_from(LITERALS[parameter.name])))
        elif parameter.literal:
            arguments.append(draw(st.sampled_from(["10", "16"])))
        elif function.name in {"repeat", "pad", "random"} and parameter.type is Type.INT:
            arguments.append(draw(st.integers(-1, 40).map(str)))
        else:
            arguments.append(draw(expressions(parameter.type, depth)))
    return f"{function.name}({', '.join(arguments)})"


OTHER_GROUPS: dict[int | bytes, st.SearchStrategy[bytes | None]] = {
    2: some_bytes,
    b"key": some_bytes,
    b"what": st.none() | some_bytes,
}
turns = st.builds(
    MadeUp,
    request=some_bytes,
    captures=st.none() | st.builds(Groups, st.fixed_dictionaries({1: st.none() | some_bytes}, optional=OTHER_GROUPS)),
    state=st.sampled_from(["", "ready", "é"]),
    number=st.integers(0, 1 << 40),
    variables=st.dictionaries(st.sampled_from(["a", "b-2"]), some_bytes),
    peer=st.tuples(st.sampled_from(["", "::1"]), st.integers(0, 65535)),
    local_port=st.integers(0, 65535),
    seed=st.integers(0, 1 << 32),
    moment=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)


def again(turn: MadeUp) -> MadeUp:
    """The same turn, its chance not used yet."""
    turn.chance.seed(turn.seed)
    return turn


def check_expected(problem: ExpressionError, text: str) -> None:
    """Only such a text is rejected here as has no value, or is too long."""
    assert problem.message.startswith(("fails each time", "one byte is an int", "more than 1024")), (text, problem)


def compiled(text: str, wanted: Type) -> object:
    """A value; None for an expression that fails each time, and one that is too long."""
    try:
        return compile_expression(text, wanted, SCOPE)
    except ExpressionError as problem:
        check_expected(problem, text)
        return None


def check_like_python(text: str, wanted: Type, turn: MadeUp) -> None:
    value = compiled(text, wanted)
    assume(value is not None or len(text.encode()) <= 1024)
    try:
        expected = reference.evaluate(text, again(turn))
    except reference.Failed:
        expected = None
    if value is None:
        return
    try:
        made = value.of(again(turn))  # type: ignore[attr-defined]
    except EvaluationError:
        made = None
    assert made == expected, text
    assert type(made) is type(expected), text


@given(expressions(Type.BYTES), turns)
def test_expression_of_bytes_is_what_python_makes_of_it(text: str, turn: MadeUp) -> None:
    check_like_python(text, Type.BYTES, turn)


@given(expressions(Type.INT), turns)
def test_expression_of_an_int_is_what_python_makes_of_it(text: str, turn: MadeUp) -> None:
    check_like_python(text, Type.INT, turn)


@given(expressions(Type.BOOL), turns)
def test_expression_of_a_bool_is_what_python_makes_of_it(text: str, turn: MadeUp) -> None:
    check_like_python(text, Type.BOOL, turn)


texts = st.characters(exclude_characters="$", exclude_categories=["Cs"])
values = (expressions(Type.BYTES, 2) | expressions(Type.INT, 2)).filter(
    lambda text: "}" not in text and not text.endswith("]") and not text.isdecimal()
)
templates = st.lists(values.map("${{{}}}".format) | st.just("$$") | st.text(texts, max_size=5), max_size=6)


@settings(max_examples=50)
@given(templates.map("".join), turns)
def test_template_renders_as_the_reference_does(text: str, turn: MadeUp) -> None:
    try:
        template = compile_template(text, SCOPE)
    except ExpressionError as problem:
        check_expected(problem, text)
        return
    try:
        expected = reference.render(text, again(turn))
    except reference.Failed:
        expected = None
    try:
        made = template.render(again(turn))
    except EvaluationError:
        made = None
    assert made == expected
    assert template.constant in {None, made}


WORDS = [
    *(
        "$",
        "$$",
        "${",
        "}",
        ":",
        ",",
        "[",
        "]",
        "(",
        ")",
        "+",
        "-",
        "*",
        "**",
        "//",
        "<<",
        ">>",
        "==",
        "=",
        "<",
        ".",
        "'",
    ),
    *(
        '"',
        "'a'",
        "b'",
        "r'",
        "request",
        "vars.a",
        "captures[1]",
        "len(",
        "hex(",
        "0x",
        "1",
        "1e9",
        "not ",
        "and",
        "or",
        "if",
    ),
    *(
        "else",
        "in",
        "lambda",
        "for",
        "x",
        "__class__",
        "f'{1}'",
        "\\",
        "\n",
        "#",
        "é",
        "None",
        "True",
        "~",
        "@",
        ":=",
        "...",
    ),
]
anything = st.lists(st.sampled_from(WORDS) | st.text(max_size=2), max_size=14).map("".join)


@settings(max_examples=300)
@given(anything | st.text())
def test_any_text_is_an_expression_or_is_rejected_with_a_position(text: str) -> None:
    for wanted in Type:
        refusal = None
        try:
            compile_expression(text, wanted, SCOPE)
        except ExpressionError as problem:
            refusal = problem
        assert refusal is None or 0 <= refusal.position <= len(text)


@settings(max_examples=300)
@given(anything | st.text())
def test_any_text_is_a_template_or_is_rejected_with_a_position(text: str) -> None:
    refusal = None
    try:
        compile_template(text, SCOPE)
    except ExpressionError as problem:
        refusal = problem
    assert refusal is None or 0 <= refusal.position <= len(text)


HOSTILE = st.one_of(
    st.binary(max_size=64),
    st.sampled_from(
        [
            b"\x00" * 5000,
            b"." * 3000,
            b"\n." * 2000,
            b"%" * 2000,
            b"[" * 5000,
            b'{"a":' * 2000,
            b"9" * 5000,
            b"\xff" * 70_000,
        ]
    ),
    st.builds(lambda part, times: part * times, st.binary(min_size=1, max_size=4), st.integers(1, 20_000)),
)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.integers(-2, 300)


@st.composite
def hostile_calls(draw: st.DrawFn) -> tuple[str, Type, dict[str, bytes]]:
    """A call of any function on anything: its text, its type, and the variables that it is on."""
    function = FUNCTIONS[draw(st.sampled_from(sorted(FUNCTIONS)))]
    variables: dict[str, bytes] = {}
    arguments = []
    for index, parameter in enumerate(function.parameters):
        if parameter.literal and parameter.type is Type.BYTES:
            arguments.append(draw(st.sampled_from(LITERALS.get(parameter.name, ["'a[0].b'", "'a'", "'[0][0]'"]))))
        elif parameter.literal:
            arguments.append("16")
        elif parameter.type is Type.BYTES:
            variables[f"v{index}"] = draw(HOSTILE)
            arguments.append(f"vars.v{index}")
        else:  # eight bytes, so that it is not known when it is compiled
            variables[f"v{index}"] = draw(NUMBERS).to_bytes(9, "big", signed=True)
            low = f"be(vars.v{index}[1:])"
            arguments.append(f"{low} if vars.v{index}[0] == 0 else -({low} ^ 18446744073709551615) - 1")
    return f"{function.name}({', '.join(arguments)})", function.result, variables


@settings(max_examples=400)
@given(hostile_calls())
def test_every_function_takes_hostile_bytes_and_is_bounded(call: tuple[str, Type, dict[str, bytes]]) -> None:
    text, wanted, variables = call
    value = compile_expression(text, wanted, SCOPE)
    try:
        made = value.of(MadeUp(variables=variables))
    except EvaluationError:
        return
    if isinstance(made, bytes):
        assert len(made) <= MAX_OUTPUT
    elif not isinstance(made, bool):
        assert -(2**63) <= made < 2**64


def test_work_is_bounded_and_told() -> None:
    work = Work()
    work.charge(4 << 20)
    with pytest.raises(EvaluationError, match=r"^reads and writes more than 4194304 bytes$"):
        work.charge(1)
