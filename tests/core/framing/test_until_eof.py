from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import UntilEof
from tests.core.framing.cutting import KINDS, cut


@given(pieces=st.lists(st.binary(min_size=1, max_size=5), max_size=5), kind=KINDS)
def test_until_eof_framing_never_ends_request_by_its_bytes(pieces: list[bytes], kind: type[bytes]) -> None:
    assert cut(UntilEof(), pieces, kind) == ([], b"".join(pieces), "")


def test_until_eof_framing_ends_request_at_eof_only() -> None:
    assert (UntilEof().eof_completes, UntilEof().idle_gap) == (True, float("inf"))


def test_until_eof_framing_takes_no_bytes() -> None:
    assert UntilEof().consumed(b"abc", 0) == 0


def test_until_eof_framing_gives_min_request_length() -> None:
    assert UntilEof().min_length(b"abc") == 3


def test_until_eof_framings_with_equal_options_are_equal() -> None:
    assert UntilEof() == UntilEof()
