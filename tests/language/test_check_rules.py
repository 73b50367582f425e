import pytest

from answerback.language.check import check
from tests.language.configurations import rule, said, wrong_in


def test_rule_with_do_and_replies_is_rejected() -> None:
    assert wrong_in("do: [echo], replies: {of: [[send: {hex: a}]]}") == [
        "replies: only one of do and replies can be given",
        "replies.of[0].do[0].send.hex: odd number of digits",
    ]


def test_state_name_longer_than_128_characters_is_rejected() -> None:
    assert wrong_in(f"in_states: ['', {'s' * 129}]") == [f"in_states[1]: at most 128 characters, not '{'s' * 59}…'"]


WEIGHTS = {
    "{of: [[], []], then: RANDOM, weights: [1]}": ["replies.weights: 1 weights, for 2 replies"],
    "{of: [[]], weights: [1]}": ["replies.weights: only `then: RANDOM` goes by weight"],
    "{of: [[]], then: CYCLE, weights: [1, 2]}": [
        "replies.weights: only `then: RANDOM` goes by weight",
        "replies.weights: 2 weights, for 1 replies",
    ],
    "{of: [[], []], then: RANDOM, weights: [1, -0.5]}": ["replies.weights[1]: must be a number of 0 or more, not -0.5"],
    "{of: [[], []], then: RANDOM, weights: [0, 0]}": [
        "replies.weights: at least one is more than 0, and their sum is a number"
    ],
    "{of: [[], []], then: RANDOM, weights: [1e308, 1e308]}": [
        "replies.weights: at least one is more than 0, and their sum is a number"
    ],
    "{of: [[], []], then: RANDOM, weights: [0, 0.1]}": [],
    "{of: [[], []], then: RANDOM}": [],
}


@pytest.mark.parametrize("replies, found", WEIGHTS.items())
def test_reply_weights_that_do_not_fit_are_rejected(replies: str, found: list[str]) -> None:
    assert wrong_in(f"replies: {replies}") == found


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_reply_weight_nan_or_infinite_is_rejected(weight: float) -> None:
    config = rule("replies: {of: [[]], then: RANDOM}")
    config.listeners[0].rules[0].replies.weights.append(weight)
    assert said(check(config, {})) == [
        f"listeners[0].rules[0].replies.weights[0]: must be a number of 0 or more, not {weight}",
    ]


def test_condition_on_connect_other_than_peer_is_rejected() -> None:
    assert wrong_in("event: CONNECT, when: PING") == [
        "when.equals: CONNECT has no request; only peer and expr can be matched",
    ]


@pytest.mark.parametrize("event", ["CONNECT", "IDLE", "EOF", "DRAIN"])
def test_states_and_counts_are_accepted_for_each_event(event: str) -> None:
    assert wrong_in(f"event: {event}, in_states: [''], times: 2, scope: CONNECTION, do: [echo]") == []


@pytest.mark.parametrize(
    "given, wrong",
    {
        "per: 1s": "per: only with `times` or `replies`: they are what is counted in each window",
        "times: 1, per: 0s": "per: must be more than 0: the window in which matches are counted",
        "times: 1, per: 61m": "per: must be 0 to 1h, not 1h1m",
    }.items(),
)
def test_window_that_is_invalid_or_counts_nothing_is_rejected(given: str, wrong: str) -> None:
    assert wrong_in(given) == [wrong]


def test_window_of_times_or_replies_is_accepted() -> None:
    assert wrong_in("times: 2, per: 1h") == []
    assert wrong_in("replies: {of: [[], []]}, per: 1ns") == []
