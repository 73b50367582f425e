"""Uses of `wait` and `signal` that are rejected."""

import pytest

from answerback.language.check import check
from tests.language.configurations import rule, said

INVALID = {
    "wait: {}": "[0].wait.signal: missing",
    "wait: {signal: ''}": "[0].wait.signal: missing",
    "wait: 500ms": "[0].wait.signal: `wait` waits for a signal; to wait for a time, write `delay: 500ms`",
    f"wait: {129 * 'a'}": "[0].wait.signal: 1 to 128 characters, not 'aaa",
    "wait: {signal: go, timeout: 0s}": "[0].wait.timeout: the shortest wait is more than 0",
    "wait: {signal: go, timeout: 2h}": "[0].wait.timeout: must be 0 to 1h, not 2h",
    "signal: ''": "[0].signal: 1 to 128 characters, not ''",
    f"signal: {129 * 'a'}": "[0].signal: 1 to 128 characters, not 'aaa",
}


@pytest.mark.parametrize("text, problem", INVALID.items())
def test_invalid_use_of_a_signal_is_rejected_with_its_place(text: str, problem: str) -> None:
    found = said(check(rule(f"do: [{text}]"), {}))
    assert len(found) == 1, found
    assert found[0].startswith(f"listeners[0].rules[0].do{problem}"), found


def test_names_of_any_kind_up_to_the_bound_are_accepted() -> None:
    assert (
        said(check(rule(f"do: [signal: {128 * 'a'}, wait: {128 * 'b'}, wait: {{signal: 'ä b', timeout: 1h}}]"), {}))
        == []
    )
