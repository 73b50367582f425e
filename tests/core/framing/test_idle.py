from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import Idle
from tests.core.framing.cutting import KINDS, cut


@given(pieces=st.lists(st.binary(min_size=1, max_size=5), max_size=5), kind=KINDS)
def test_idle_framing_never_ends_request_by_its_bytes(pieces: list[bytes], kind: type[bytes]) -> None:
    assert cut(Idle(0.2), pieces, kind) == ([], b"".join(pieces), "")


def test_idle_framing_ends_request_at_gap_and_at_eof() -> None:
    assert (Idle(0.2).idle_gap, Idle(0.2).eof_completes) == (0.2, True)


def test_idle_framing_takes_no_bytes() -> None:
    assert Idle(0.2).consumed(b"abc", 0) == 0


def test_idle_framing_gives_min_request_length() -> None:
    assert Idle(0.2).min_length(b"abc") == 3


def test_idle_framings_with_equal_options_are_equal() -> None:
    assert Idle(0.2) == Idle(0.2) != Idle(0.3)
