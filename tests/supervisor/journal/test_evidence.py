"""When an expectation holds, fails, or cannot be decided because something was dropped."""

import pytest

from answerback.supervisor.journal.evidence import Expected, Outcome

HOLDS, FAILS, UNKNOWN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN


@pytest.mark.parametrize(
    "expected, found, complete, incomplete",
    [
        (Expected(2), 1, FAILS, UNKNOWN),
        (Expected(2), 2, HOLDS, HOLDS),
        (Expected(2), 3, HOLDS, HOLDS),
        (Expected(2, 3), 1, FAILS, UNKNOWN),
        (Expected(2, 3), 2, HOLDS, UNKNOWN),
        (Expected(2, 3), 3, HOLDS, UNKNOWN),
        (Expected(2, 3), 4, FAILS, FAILS),
        (Expected(0, 0), 0, HOLDS, UNKNOWN),
        (Expected(0, 0), 1, FAILS, FAILS),
    ],
)
def test_outcome_depends_on_the_number_and_on_what_was_dropped(
    expected: Expected, found: int, complete: Outcome, incomplete: Outcome
) -> None:
    assert expected.judge(found, complete=True) is complete
    assert expected.judge(found, complete=False) is incomplete


@pytest.mark.parametrize(
    "expected, text",
    [
        (Expected(1), "at least 1"),
        (Expected(2, 2), "exactly 2"),
        (Expected(0, 0), "none"),
        (Expected(0, 3), "at most 3"),
    ],
)
def test_expectation_is_shown_in_words(expected: Expected, text: str) -> None:
    assert str(expected) == text
