"""How a conversation ends: what is made beforehand."""

import pytest

from answerback.core.actions import Close, CloseReason
from answerback.core.ending import CLOSES


@pytest.mark.parametrize("reason", CloseReason)
def test_every_reason_has_its_close(reason: CloseReason) -> None:
    assert CLOSES[reason] == (Close(reason),)
