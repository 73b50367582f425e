import pytest

from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import members, rule, said


def problems(text: str, files: dict[str, bytes] | None = None) -> list[str]:
    """What is wrong with a rule's steps; the path is that within the list."""
    found = said(check(rule(f"do: [{text}]"), files or {}))
    return [line.removeprefix("listeners[0].rules[0].do") for line in found]


EMPTY = {
    "{}": f"[0]: empty: set one of {members(v1.Step())}",
    "send: {}": "[0].send: empty: set one of text, hex, base64, file, template",
    "delay: {}": "[0].delay: empty: set one of fixed, uniform, normal, lognormal, exponential",
    "dribble: {payload: a, gap: 1s}": "[0].dribble: empty: set one of chunks, size",
    "set: {name: a, value: {}}": "[0].set.value: empty: set one of text, hex, base64, file, template",
}


@pytest.mark.parametrize("text, problem", EMPTY.items())
def test_empty_step_is_rejected(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_step_payload_with_bad_encoding_is_rejected() -> None:
    assert problems("send: {hex: g}, dribble: {payload: {base64: A}, chunks: 1, gap: 0}") == [
        "[0].send.hex: 'g' is not a hexadecimal digit",
        "[1].dribble.payload.base64: not base64: its length is no multiple of 4; it is padded with =",
    ]


@pytest.mark.parametrize("delay, right", [("0", True), ("1h", True), ("-1ms", False), ("1h1s", False), ("61m", False)])
def test_step_delay_outside_0_to_1h_is_rejected(delay: str, right: bool) -> None:
    written = {"61m": "1h1m"}.get(delay, delay)
    assert problems(f"delay: {delay}") == ([] if right else [f"[0].delay.fixed: must be 0 to 1h, not {written}"])
    assert problems(f"dribble: {{payload: a, size: 1, gap: {delay}}}") == (
        [] if right else [f"[0].dribble.gap: must be 0 to 1h, not {written}"]
    )


def test_dribble_with_too_many_or_no_chunks_is_rejected() -> None:
    def dribble(pieces: str) -> list[str]:
        return problems(f"dribble: {{payload: {{file: f}}, gap: 0, {pieces}}}", {"f": bytes(65537)})

    assert dribble("chunks: 65536") == dribble("size: 2") == dribble("size: 16777216") == []
    assert dribble("chunks: 0") == ["[0].dribble.chunks: must be 1 to 65536, not 0"]
    assert dribble("chunks: 65537") == ["[0].dribble.chunks: must be 1 to 65536, not 65537"]
    assert dribble("size: 0") == ["[0].dribble.size: must be 1 to 16777216, not 0"]
    assert dribble("size: 1") == ["[0].dribble.size: makes 65537 pieces; the maximum is 65536"]


def test_state_name_longer_than_128_characters_is_rejected() -> None:
    assert problems("state: '', state: 'any thing'") == []
    assert problems(f"state: {'s' * 129}") == [f"[0].state: at most 128 characters, not '{'s' * 59}…'"]


@pytest.mark.parametrize("name", ["a", "_", "A-1_b", "v" * 128])
def test_variable_name_of_letters_digits_underscore_and_hyphen_is_valid(name: str) -> None:
    assert problems(f"set: {{name: {name}, value: x}}, receive: {{framing: line, into: {name}}}") == []


@pytest.mark.parametrize("name", ["1a", "-a", "a.b", "a b", "é"])
def test_variable_name_with_other_characters_is_rejected(name: str) -> None:
    why = f"letters, digits, `_` and `-`, the first no digit, 128 at most, not {name!r}"
    assert problems(f"set: {{name: {name}, value: x}}, receive: {{framing: line, into: {name}}}") == [
        f"[0].set.name: {why}",
        f"[1].receive.into: {why}",
    ]


FRAMINGS = members(v1.Framing())


def test_step_with_invalid_framing_is_rejected() -> None:
    assert problems(
        "framing: {}, receive: {framing: {delimiter: ''}, into: x}, framing: {fixed: {size_from: '${a}'}}"
    ) == [
        f"[0].framing: empty: set one of {FRAMINGS}",
        "[1].receive.framing.delimiter.end: at least one byte is needed",
        "[2].framing.fixed.size_from: an expression is written without ${ } here: write int(a) (at character 1)",
    ]
