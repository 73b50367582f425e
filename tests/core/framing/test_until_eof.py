from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import UntilEof
from tests.core.framing.cutting import KINDS, cut


@given(pieces=st.lists(st.binary(min_size=1, max_size=5), max_size=5), kind=KINDS)
def test_no_bytes_end_a_request(pieces: list[bytes], kind: type[bytes]) -> None:
    assert cut(UntilEof(), pieces, kind) == ([], b"".join(pieces), "")


def test_the_end_ends_it_and_silence_does_not() -> None:
    assert (UntilEof().rest, UntilEof().gap) == (True, float("inf"))


def test_nothing_is_taken() -> None:
    assert UntilEof().taken(b"abc", 0) == 0


def test_how_long_a_request_will_be_at_least() -> None:
    assert UntilEof().least(b"abc") == 3


def test_equal_framings_are_equal() -> None:
    assert UntilEof() == UntilEof()
