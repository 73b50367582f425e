from answerback.core import steps
from answerback.core.steps import Hang
from tests.core.steps.taking import taken


def test_hang_step_hangs_with_or_without_ignoring_fin() -> None:
    assert taken(steps.hang()) == Hang(ignore_fin=False)
    assert taken(steps.hang(ignore_fin=True)) == Hang(ignore_fin=True)
