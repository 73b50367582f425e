"""Bounds of an evaluation: the size of every value, and the work of its functions."""

import tracemalloc

import pytest

from answerback.core.expressions import MAX_OUTPUT, EvaluationError, TooLongError, Type
from answerback.language.expressions import ExpressionError, Scope, compile_expression, compile_template
from answerback.language.expressions.functions import FUNCTIONS
from tests.core.turns import MadeUp

MIB = 1 << 20


def evaluated(text: str, wanted: Type = Type.BYTES, **variables: bytes) -> object:
    return compile_expression(text, wanted, Scope()).of(MadeUp(variables=variables))


# Each makes as many bytes as there may be of the first, and one more of the second.
LARGEST = {
    "vars.x + 'a'": (MIB - 1, MIB),
    "vars.x + vars.x": (MIB // 2, MIB // 2 + 1),
    "vars.x[1:]": (MIB + 1, MIB + 2),
    "vars.x[:-1]": (MIB + 1, MIB + 2),
    "vars.x[len(vars.none):]": (MIB, MIB + 1),
    "upper(vars.x)": (MIB, MIB + 1),
    "lower(vars.x)": (MIB, MIB + 1),
    "reverse(vars.x)": (MIB, MIB + 1),
    "xor(vars.x, 'ab')": (MIB, MIB + 1),
    "hex(vars.x)": (MIB // 2, MIB // 2 + 1),
    "base64(vars.x)": (MIB // 4 * 3, MIB // 4 * 3 + 1),
    "replace(vars.x, 'x', 'yz')": (MIB // 2, MIB // 2 + 1),
    "repeat(vars.x, 4)": (MIB // 4, MIB // 4 + 1),
    "dot_stuff('.' + vars.x)": (MIB - 2, MIB - 1),
}


@pytest.mark.parametrize("text, sizes", LARGEST.items())
def test_value_of_1_mib_is_made_and_a_longer_one_fails(text: str, sizes: tuple[int, int]) -> None:
    most, too_many = sizes
    made = evaluated(text, x=b"x" * most)
    assert isinstance(made, bytes)
    assert len(made) == MAX_OUTPUT
    with pytest.raises(TooLongError, match="makes more than 1048576 bytes"):
        evaluated(text, x=b"x" * too_many)


@pytest.mark.parametrize(
    "text",
    [
        "repeat('a', 1048577)",
        "repeat(vars.x, 18446744073709551615)",
        "pad(1, 1048577)",
        "pad(1, 18446744073709551615)",
        "random(1048577)",
        "random(9223372036854775807)",
        "hex(vars.x)",
        "vars.x + vars.x + vars.x",
        "replace(vars.x, '', 'abc')",
        "base64(vars.x)",
        "vars.x[0:1048576] + 'a'",
    ],
)
def test_value_that_is_too_long_is_never_allocated(text: str) -> None:
    data = b"x" * MIB
    tracemalloc.start()
    try:
        with pytest.raises((TooLongError, ExpressionError)):
            evaluated(text.replace("1048577", "1048577 + len(vars.none)"), x=data)
        assert tracemalloc.get_traced_memory()[1] < MIB + MIB // 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [1, 2, 9, 40])
def test_template_of_1_mib_is_rendered_and_a_longer_one_fails(count: int) -> None:
    template = compile_template("${request}" * count + "!", Scope())
    most = (MAX_OUTPUT - 1) // count
    assert template.render(MadeUp(b"x" * most)) == b"x" * most * count + b"!"
    with pytest.raises(TooLongError):
        template.render(MadeUp(b"x" * (most + 1)))


@pytest.mark.parametrize("count", [1, 2, 10_000])
def test_template_that_is_too_long_is_never_allocated(count: int) -> None:
    template = compile_template("${request}" * count, Scope())
    turn = MadeUp(b"x" * (MAX_OUTPUT + 1))
    tracemalloc.start()
    try:
        with pytest.raises(TooLongError):
            template.render(turn)
        assert tracemalloc.get_traced_memory()[1] < MAX_OUTPUT
    finally:
        tracemalloc.stop()


def test_template_always_too_long_is_rejected_when_compiled() -> None:
    assert compile_template("x" * MAX_OUTPUT, Scope()).constant == b"x" * MAX_OUTPUT
    for text in ("x" * MAX_OUTPUT + "${'a'}", "x" * (MAX_OUTPUT + 1) + "${request}"):
        with pytest.raises(ExpressionError, match="makes more than 1048576 bytes"):
            compile_template(text, Scope())


# Functions whose work is 4 MiB together, and that of one call more.
WORK = {
    "len(md5(vars.x) + md5(vars.x) + md5(vars.x) + md5(vars.x)) == 64": MIB,
    "crc32(vars.x) == crc32(vars.x) == crc32(vars.x) == crc32(vars.x)": MIB,
    "crc16(vars.x) == crc16(vars.x) == crc16(vars.x) == crc16(vars.x)": MIB // 16,
    "sum8(vars.x) == sum8(vars.x) == sum8(vars.x) == sum8(vars.x)": MIB // 16,
    "split(vars.x, ',', 0) != '' and split(vars.x, ',', 0) != ''": MIB // 17 * 2,
    "len(repeat(vars.y, 1048576)) == len(repeat(vars.y, 1048576)) == len(repeat(vars.y, 1048576)) == 1048576": 1,
    "len(upper(vars.x)) == len(upper(vars.x)) == 1048576": MIB,
    "len(vars.x + 'a') == len(vars.x + 'b') == len(vars.x + 'c') == len(vars.x + 'd')": MIB - 1,
    "len(vars.x[0:1048576]) == len(vars.x[1:]) == len(vars.x + 'a') - 2 or len(vars.x[2:]) > 0": MIB - 1,
}


@pytest.mark.parametrize("text, size", WORK.items())
def test_work_of_4_mib_is_done_and_more_of_it_fails(text: str, size: int) -> None:
    variables = {"x": b"x" * size, "y": b"y"}
    evaluated(f"({text}) or True", Type.BOOL, **variables)
    with pytest.raises(EvaluationError, match="reads and writes more than 4194304 bytes"):
        evaluated(f"(({text}) or True) and ({text}) and crc32(repeat(vars.y, 1048576)) == 1", Type.BOOL, **variables)


def test_each_evaluation_has_its_own_budget() -> None:
    value = compile_expression("crc32(request) == crc32(request) == crc32(request)", Type.BOOL, Scope())
    turn = MadeUp(b"x" * MIB)
    assert all(value.of(turn) for _ in range(3))
    template = compile_template("${hex(md5(request))}${crc32(request)}", Scope())
    assert len({template.render(turn) for _ in range(3)}) == 1


def test_values_of_a_template_share_a_budget() -> None:
    turn = MadeUp(b"x" * MIB)
    assert compile_template("${crc32(request)} " * 4, Scope()).render(turn)
    for count in (5, 12):
        with pytest.raises(EvaluationError, match="reads and writes more"):
            compile_template("${crc32(request)} " * count, Scope()).render(turn)


def test_search_by_in_of_the_longest_request_is_one_budget() -> None:
    value = compile_expression("'ab' in request or 'ac' in request", Type.BOOL, Scope())
    assert value.of(MadeUp(b"x" * (32 << 20))) is False
    with pytest.raises(EvaluationError, match="reads and writes more"):
        value.of(MadeUp(b"x" * (33 << 20)))


def test_costly_pattern_counts_for_more_than_a_cheap_one() -> None:
    data = b"x" * MIB
    cheap = "matches(vars.x, 'ab')"
    assert evaluated(f"{cheap} or {cheap} or {cheap} or {cheap}", Type.BOOL, x=data) is False
    with pytest.raises(EvaluationError, match="reads and writes more"):
        evaluated("matches(vars.x, 'a[0-9]{300}b') or matches(vars.x, 'a[0-9]{300}c')", Type.BOOL, x=data)


@pytest.mark.parametrize("name", [name for name, each in FUNCTIONS.items() if each.parameters])
def test_every_function_that_reads_bytes_is_charged(name: str) -> None:
    function = FUNCTIONS[name]
    literals = {"separator": "','", "pattern": "'a'", "format": "'%Y'", "path": "'a'"}
    places = [
        each for each in function.parameters if not each.optional and not each.literal and each.type is Type.BYTES
    ]
    if not places:
        return
    arguments = [
        literals[each.name] if each.literal else "1" if each.type is Type.INT else "vars.x"
        for each in function.parameters
        if not each.optional
    ]
    call = f"{name}({', '.join(arguments)})"
    if name == "len":
        assert evaluated(call, function.result, x=b"1" * (5 * MIB)) == 5 * MIB
        return
    with pytest.raises(EvaluationError, match="reads and writes more than 4194304 bytes"):
        evaluated(call, function.result, x=b"1" * (5 * MIB))
