import pytest

from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, members, rule, said


def problems(framing: str) -> list[str]:
    """What is wrong with a listener's framing; the path is that within the framing."""
    found = said(check(listener(framing=framing), {}))
    return [line.removeprefix("listeners[0].framing").removeprefix(".") for line in found]


def test_empty_framing_is_rejected() -> None:
    assert problems("{}") == [
        f": empty: set one of {members(v1.Framing())}",
    ]


@pytest.mark.parametrize(
    "framing", ["read", "line", "until_eof", "http", "resp", "dot_stuffed", "websocket", '{delimiter: "\\0"}']
)
def test_valid_framings_have_no_problems(framing: str) -> None:
    assert problems(framing) == []


NUMBERS = [
    ("read: {{max_bytes: {}}}", "read.max_bytes", 1, 1048576),
    ("fixed: {{size: {}}}", "fixed.size", 1, 67108864),
    ("length_prefix: {{width: 2, offset: {}}}", "length_prefix.offset", 0, 65535),
    ("length_prefix: {{width: {}}}", "length_prefix.width", 1, 8),
    ("length_prefix: {{width: 2, adjust: {}}}", "length_prefix.adjust", -67108864, 67108864),
]


@pytest.mark.parametrize("framing, path, least, most", NUMBERS)
def test_framing_number_outside_its_bounds_is_rejected(framing: str, path: str, least: int, most: int) -> None:
    for right in (least, most):
        assert problems(f"{{{framing.format(right)}}}") == []
    wrong = [most + 1] if least == 0 or path.endswith("width") else [least - 1, most + 1]
    for number in wrong:
        assert problems(f"{{{framing.format(number)}}}") == [f"{path}: must be {least} to {most}, not {number}"]


LENGTHS = {
    "{encoding: DECIMAL}": ": a DECIMAL length needs an end: set one of width, until",
    "{encoding: HEX, width: 21}": ".width: must be 1 to 20, not 21",
    "{encoding: HEX, width: 0}": ".width: must be 1 to 20, not 0",
    "{encoding: DECIMAL, until: '7'}": '.until: must be one byte that is not a digit, not "7"',
    "{encoding: DECIMAL, until: '::'}": '.until: must be one byte that is not a digit, not "::"',
    "{encoding: DECIMAL, until: ''}": '.until: must be one byte that is not a digit, not ""',
    "{encoding: HEX, until: F}": '.until: must be one byte that is not a digit, not "F"',
    "{until: ':'}": ".until: only digits end at a byte: write width, or encoding: DECIMAL or HEX",
    "{encoding: VARINT, width: 4}": ".width: a VARINT length ends by itself: remove width",
    "{encoding: BER, until: ':'}": ".until: a BER length ends by itself: remove until",
    "{encoding: LITTLE_ENDIAN}": ": a LITTLE_ENDIAN length needs an end: set width",
    "{}": ": a BIG_ENDIAN length needs an end: set width",
    "{width: 0}": ".width: must be 1 to 8, not 0",
    "{encoding: VARINT, offset: 65536}": ".offset: must be 0 to 65535, not 65536",
}


@pytest.mark.parametrize("given, problem", LENGTHS.items())
def test_length_without_a_fitting_end_is_rejected(given: str, problem: str) -> None:
    assert problems(f"{{length_prefix: {given}}}") == [f"length_prefix{problem}"]


@pytest.mark.parametrize(
    "given", ["{encoding: DECIMAL, until: a}", "{encoding: HEX, until: ':'}", "{encoding: HEX, width: 20}"]
)
def test_length_written_in_digits_has_a_width_or_ends_at_a_byte(given: str) -> None:
    assert problems(f"{{length_prefix: {given}}}") == []


def test_unknown_encoding_is_rejected() -> None:
    config = listener(framing="{length_prefix: {width: 1}}")
    config.listeners[0].framing.length_prefix.encoding = 99  # type: ignore[assignment]
    (problem,) = said(check(config, {}))
    assert problem.startswith("listeners[0].framing.length_prefix.encoding: there is no value 99; known: ENCODING_BIG_")


def test_empty_or_invalid_delimiter_is_rejected() -> None:
    assert problems("{delimiter: ''}") == ["delimiter.end: at least one byte is needed"]
    assert problems("{delimiter: {end: {hex: a}}}") == ["delimiter.end.hex: odd number of digits"]
    assert problems("{delimiter: {end: {}}}") == ["delimiter.end: empty: set one of text, hex, base64, file"]


PATTERNS = {
    "a(": "invalid RE2: missing ): a(",
    "a$": "$ cannot be used where a pattern ends a request",
    "^a": "^ cannot be used where a pattern ends a request",
    r"a\b": r"\b cannot be used where a pattern ends a request",
    "a*": "matches the empty string, so it would end a request before its first byte",
}


@pytest.mark.parametrize("pattern, why", PATTERNS.items())
def test_pattern_framing_that_cannot_end_a_request_is_rejected(pattern: str, why: str) -> None:
    assert problems(f"{{pattern: {{end: '{pattern}'}}}}") == [f"pattern.end: {why}"]
    assert problems(r"{pattern: {end: '\x0110=\d{3}\x01'}}") == []


def test_fixed_framing_without_size_is_rejected() -> None:
    assert problems("{fixed: {}}") == ["fixed: empty: set one of size, size_from"]


def test_size_from_is_rejected_in_the_framing_of_a_listener() -> None:
    assert problems("{fixed: {size_from: 'int(request)'}}") == [
        (
            "fixed.size_from: is settled when a step runs: a listener's own framing has a size;"
            " use it in framing or receive"
        ),
    ]
    for step in (
        "framing: {fixed: {size_from: 'int(request)'}}",
        "receive: {framing: {fixed: {size_from: '4'}}, into: it}",
    ):
        assert check(rule(f"do: [{step}]"), {}) == []


@pytest.mark.parametrize(
    "gap, problem",
    [
        ("0", "must be more than 0"),
        ("-1s", "must be 0 to 1h, not -1s"),
        ("61m", "must be 0 to 1h, not 1h1m"),
    ],
)
def test_idle_framing_gap_outside_its_bounds_is_rejected(gap: str, problem: str) -> None:
    assert problems(f"{{idle: {{gap: {gap}}}}}") == [f"idle.gap: {problem}"]
    assert problems("{idle: {gap: 1h}}") == []
