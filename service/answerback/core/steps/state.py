"""The step `state`."""

from answerback.core.steps.base import EnterState, Step


def state(name: str) -> Step:
    """Enter a state: `in_states` of rules refers to it."""
    return EnterState(name)
