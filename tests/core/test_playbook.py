"""A playbook notices what a test did not expect, also behind its last `<<`."""

import pytest

from answerback.core.actions import Action, Send
from tests.core.plans import plan, rule
from tests.core.playbook import Playbook, unexpected

CASES: list[tuple[bytes, list[list[Action]]]] = [(b"", []), (b"x\n", [[Send(b"two")]])]


@pytest.mark.parametrize("more, left", CASES)
def test_actions_after_the_last_expected_one_are_unexpected(more: bytes, left: list[list[Action]]) -> None:
    book = Playbook(plan(rule(Send(b"two")))) >> b"x\n" << Send(b"two")
    if more:
        book >> more
    assert unexpected() == left
