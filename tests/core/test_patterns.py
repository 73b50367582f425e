import subprocess
import sys
import time

import pytest
import re2

from answerback.core import patterns
from answerback.core.patterns import PatternError

FOUND = [
    (r"\xff", b"a\xffb", True),
    (r"\xff", "ÿ".encode(), False),  # its UTF-8 bytes are c3 bf
    ("é", "é".encode(), True),  # the pattern's own UTF-8 bytes
    ("é", b"\xe9", False),
    ("^a$", b"a", True),
    ("^a$", b"a\n", False),
    ("^b", b"a\nb", False),  # the ends of the request, not of a line
    ("(?m)^b", b"a\nb", True),
    (".", b"\n", False),
    ("(?s).", b"\n", True),
    ("(?i)ping", b"PiNg", True),
    ("", b"", True),
    (r"\x00", b"\x00", True),
]


@pytest.mark.parametrize("pattern, request_bytes, found", FOUND)
def test_patterns_match_bytes(pattern: str, request_bytes: bytes, found: bool) -> None:
    assert (patterns.compile(pattern).search(request_bytes) is not None) is found


REFUSED = {
    "(a": "missing ): (a",
    "(?=a)": "invalid perl operator: (?=",
    r"(a)\1": r"invalid escape sequence: \1",
    "*": "no argument for repetition operator: *",
    "é(": "missing ): é(",
    "(a{100}){11}": "invalid repetition size: {11}",
}


@pytest.mark.parametrize("pattern, why", REFUSED.items())
def test_pattern_rejected_by_re2_raises_and_prints_nothing(
    pattern: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PatternError) as caught:
        patterns.compile(pattern)
    assert str(caught.value) == why
    assert capfd.readouterr() == ("", "")


def test_pattern_too_large_is_rejected() -> None:
    with pytest.raises(PatternError, match="too large: RE2 would make up to 1000005 instructions of it"):
        patterns.compile("a{1000}" * 1000)


def test_rejected_pattern_is_not_given_to_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(re2, "compile", lambda *_: pytest.fail("RE2 was given the pattern"))
    for pattern in ("a?" * 50_000, "a{0,1000}" * 111, r"(?i)\pL", r"\pL" * 33, "()" * 101, "a" * 20_000):
        for captures in (True, False):
            with pytest.raises(PatternError):
                patterns.compile(pattern, captures=captures)


def test_groups_are_found_by_number_and_name() -> None:
    groups = patterns.searcher(r"(a)(?P<what>b)?(?P<who>c)?")(b"xab")
    assert groups is not None
    assert [groups.group(number) for number in range(4)] == [b"ab", b"a", b"b", None]
    assert groups.group("what") == b"b"
    for unknown in ("when", 4):
        with pytest.raises(IndexError):
            groups.group(unknown)


@pytest.mark.parametrize("anchored", [True, False])
def test_pattern_set_finds_all_matching_patterns(anchored: bool) -> None:
    matching = patterns.many(["^a", "^b", "^ab", "^[ac]"], anchored=anchored, memory=1 << 20)
    assert matching is not None
    assert sorted(matching(b"abc") or []) == [0, 2, 3]
    assert list(matching(b"d") or ()) == []


def test_pattern_set_beyond_its_memory_is_not_compiled() -> None:
    some = [f"{number}[a-z]{{50}}" for number in range(20_000)]
    assert patterns.many(some, anchored=False, memory=1 << 20) is None


def test_bytes_of_a_token_are_those_that_it_may_match() -> None:
    assert patterns.bytes_of(rb"\d") == frozenset(b"0123456789")
    assert patterns.bytes_of(b"a") == frozenset(b"aA")
    assert patterns.bytes_of(b"[^a]") == frozenset(range(256)) - frozenset(b"a")
    assert patterns.bytes_of(b".") == frozenset(range(256))
    assert patterns.bytes_of(b"\xc3") == frozenset(b"\xc3")


def test_nested_repetition_is_searched_in_linear_time() -> None:
    """`re` takes seconds for 26 of these, and twice as long for each more."""
    search = patterns.compile("(a+)+$").search
    began = time.process_time()
    assert search(b"a" * 100_000 + b"b") is None
    assert time.process_time() - began < 20


def test_re2_is_not_loaded_without_a_pattern() -> None:
    script = "import sys; import answerback.core.session, answerback.language.compile; print('re2' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_patterns_of_a_block_are_compiled_by_its_compiler() -> None:
    outer, inner = patterns.Compiler(), patterns.Compiler()
    with patterns.compiling(outer):
        with patterns.compiling(inner):
            compiled = patterns.compile("a+")
            assert patterns.compiler() is inner
            assert patterns.compile("a+") is compiled
        assert patterns.compiler() is outer
        with pytest.raises(ZeroDivisionError), patterns.compiling(inner):
            raise ZeroDivisionError
        assert patterns.compiler() is outer
    assert patterns.compiler() not in {outer, inner}


def test_compiler_expects_requests_of_1_mib_by_default() -> None:
    assert patterns.Compiler().request_bytes == 1_048_576
