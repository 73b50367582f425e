import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason
from answerback.core.framing import Fixed, Line
from answerback.core.steps import SetFraming, StepResult
from tests.core.plans import size
from tests.core.steps.taking import taken


def test_set_framing_step_switches_the_framing() -> None:
    assert taken(steps.set_framing(Line(keep_ending=False))) == SetFraming(Line(keep_ending=False))


@pytest.mark.parametrize(
    "text,result",
    [
        ("3", SetFraming(Fixed(3), once=True)),
        ("0", SetFraming(None, once=True)),
        ("int(request)", steps.END_AS_MALFORMED),
        ("-len(request)", steps.END_AS_MALFORMED),
    ],
)
def test_set_framing_step_with_size_from_switches_or_ends(text: str, result: StepResult) -> None:
    assert taken(steps.set_framing_of_size(size(text))) == result
    assert steps.END_AS_MALFORMED.reason == CloseReason.MALFORMED_REQUEST
