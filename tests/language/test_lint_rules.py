import pytest

from tests.language.test_lint import advice


@pytest.mark.parametrize(
    "first", ["{}", "{do: [close]}", "{when: {prefix: ''}}", "{when: {contains: ''}}", "{when: {regex: ''}}"]
)
def test_rule_after_one_that_matches_everything_is_warned_of(first: str) -> None:
    assert advice(f"rules: [{first}, {{when: PING}}, {{}}, {{event: CONNECT}}]") == [
        "rules[1]: never reached: rules[0] matches everything",
        "rules[2]: never reached: rules[0] matches everything",
    ]


def test_rule_for_the_empty_request_does_not_match_everything() -> None:
    assert advice("rules: [{when: ''}, {when: PING}, {when: {prefix: {hex: ''}}}]") == []


def test_second_connect_rule_without_condition_is_warned_of() -> None:
    assert advice("rules: [{event: CONNECT}, {}, {event: CONNECT}]") == [
        "rules[2]: never reached: rules[0] matches everything",
    ]


def test_rule_after_one_with_the_same_condition_is_warned_of() -> None:
    assert advice(
        "rules: [{when: {not: PING}, do: [close]}, {when: PING}, {when: {not: {equals: PING}}, do: [echo]}]"
    ) == [
        "rules[2]: never reached: rules[0] has the same condition",
    ]


@pytest.mark.parametrize("end", ["close", "reset", "hang"])
def test_steps_after_the_end_of_a_script_are_warned_of(end: str) -> None:
    what = "sends nothing more" if end == "hang" else "ends the connection"
    assert advice(f"rules: [{{do: [echo, {end}, discard, close]}}]") == [
        f"rules[0].do[2]: never reached: do[1] {what}",
    ]
    assert advice(f"rules: [{{do: [echo, {end}]}}]") == []


@pytest.mark.parametrize(
    "listener,warned",
    [
        ("rules: [{event: EOF, do: [hang]}]", True),
        ("rules: [{event: EOF, do: [hang: {ignore_fin: true}]}]", False),
        ("framing: until_eof\nrules: [{do: [hang]}]", True),
        ("framing: until_eof\nrules: [{do: [hang: {ignore_fin: true}]}]", False),
        ("framing: until_eof\nrules: [{event: CONNECT, do: [hang]}]", False),
        ("framing: line\nrules: [{event: REQUEST, do: [hang]}]", False),
    ],
)
def test_hang_after_the_fin_of_the_peer_is_warned_of(listener: str, warned: bool) -> None:
    why = "closes at once: the peer has closed its half already, unless ignore_fin is true"
    assert advice(listener) == ([f"rules[0].do[0].hang: {why}"] if warned else [])


def test_lint_warns_of_echo_on_connect() -> None:
    assert advice("rules: [{event: CONNECT, do: [send: hi, echo]}]") == [
        "rules[0].do[1]: sends nothing: CONNECT has no request",
    ]


@pytest.mark.parametrize("event", ["CONNECT", "IDLE", "EOF", "DRAIN"])
def test_rules_are_compared_only_within_their_event(event: str) -> None:
    assert advice(f"rules: [{{}}, {{event: {event}, do: [echo]}}, {{event: {event}}}]") == [
        "rules[2]: never reached: rules[1] matches everything",
        f"rules[1].do[0]: sends nothing: {event} has no request",
    ]


# ── States ────────────────────────────────────────────────────────────────────────────────────────────────────────

ENTER = "{when: enter, do: [state: a, state: b]}"


def test_rule_unreachable_in_all_its_states_is_warned_of() -> None:
    assert advice(
        f"rules: [{ENTER}, {{when: x, in_states: [a]}}, {{in_states: [a]}}, {{in_states: [a]}}, {{in_states: [b]}},"
        " {in_states: [a, b]}, {in_states: ['', a]}, {when: x}, {}, {in_states: [a]}]"
    ) == [
        "rules[3]: never reached: rules[2] matches everything in its states",
        "rules[5]: never reached: rules[2] and rules[4] match everything in its states",
        "rules[9]: never reached: rules[8] matches everything in its states",
        (
            "rules[0]: enters the state 'a' and also acts there, before rules[2], which matches everything in that "
            "state: give it in_states"
        ),
    ]


def test_rule_with_the_same_condition_in_all_its_states_is_warned_of() -> None:
    assert advice(
        f"rules: [{ENTER}, {{when: x, in_states: [a]}}, {{when: x, in_states: [b]}}, {{when: x, in_states: [b, a]}},"
        " {when: x}, {when: x, in_states: [a]}]"
    ) == [
        "rules[3]: never reached: rules[1] and rules[2] have the same condition",
        "rules[5]: never reached: rules[4] has the same condition",
    ]


def test_rule_that_enters_a_state_and_acts_there_before_its_catch_all_is_warned_of() -> None:
    warning = "enters the state 'a' and also acts there, before rules[2], which matches everything in that state"
    assert advice("rules: [{when: x, do: [state: a]}, {when: y, times: 2}, {in_states: [a]}, {when: z}]") == [
        f"rules[0]: {warning}: give it in_states",
    ]
    assert advice("rules: [{when: x, do: [state: a], times: 9}, {when: y, do: [state: b]}, {in_states: [b, a]}]") == [
        f"rules[0]: {warning}: give it in_states",
        f"rules[1]: {warning}: give it in_states".replace("'a'", "'b'"),
    ]


@pytest.mark.parametrize(
    "rules",
    [
        "[{in_states: [a]}, {when: x, do: [state: a]}, {}]",  # behind it
        "[{when: x, do: [state: a]}, {when: y, in_states: [a]}, {}]",  # not everything
        "[{when: QUIT, do: [close]}, {in_states: [a], do: [state: b]}, {when: x, in_states: [b], do: [state: a]}]",
        "[{when: x, do: [state: a], in_states: ['']}, {in_states: [a]}]",
        "[{when: x, do: [state: a]}, {in_states: [a], times: 3}, {in_states: ['']}]",  # there comes a time
        "[{when: x, do: [state: '']}, {in_states: ['']}]",
    ],
)
def test_rule_for_all_states_is_not_warned_of_where_it_may_be_meant(rules: str) -> None:
    assert advice(f"rules: {rules}") == []


def test_state_that_no_step_enters_is_warned_of() -> None:
    assert advice(
        "rules: [{when: x, in_states: ['', a, b, c]}, {when: y, do: [state: a]},"
        " {when: z, replies: {of: [[], [state: b]]}}]"
    ) == ["rules[0].in_states[3]: no `state` step of this listener enters 'c'"]


def test_lint_warns_of_states_given_twice() -> None:
    assert advice("rules: [{when: x, in_states: ['', '']}]") == ["rules[0].in_states[1]: '' is given already"]


def test_connect_rule_in_a_named_state_is_warned_of() -> None:
    assert advice("rules: [{event: CONNECT, in_states: [a], do: [state: a]}]") == [
        "rules[0].in_states: never matches on CONNECT: a connection starts in state ''",
    ]


# ── Counts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", ["times: 2", "replies: {of: [[]], then: NEXT_RULE}"])
def test_lint_does_not_call_rules_behind_limited_rule_unreachable(limit: str) -> None:
    assert advice(f"rules: [{{{limit}}}, {{when: x, {limit}}}, {{when: x}}, {{}}]") == []
    assert advice(f"rules: [{{}}, {{{limit}}}]") == ["rules[1]: never reached: rules[0] matches everything"]


def test_rule_after_endless_replies_is_warned_of() -> None:
    assert advice("rules: [{replies: {of: [[]], then: CYCLE}}, {}]") == [
        "rules[1]: never reached: rules[0] matches everything"
    ]


def test_lint_warns_of_scope_without_count() -> None:
    assert advice("rules: [{scope: CONNECTION}]") == [
        "rules[0].scope: has no effect: neither times nor replies is set",
    ]
    assert advice("rules: [{scope: CONNECTION, times: 1}]") == []


def test_lint_does_not_call_rules_behind_one_limited_for_each_peer_unreachable() -> None:
    assert advice("rules: [{times: 1, scope: PEER}, {}]") == []


def test_times_beyond_the_last_reply_is_warned_of() -> None:
    assert advice("rules: [{times: 3, replies: {of: [[], []], then: NEXT_RULE}}]") == [
        "rules[0].times: never reached: the rule does not match after 2 replies",
    ]


# ── Steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unreachable_step_of_a_reply_is_warned_of() -> None:
    assert advice("rules: [{replies: {of: [[], [close, echo]]}}]") == [
        "rules[0].replies.of[1].do[1]: never reached: do[0] ends the connection",
    ]


def test_lint_warns_of_steps_behind_half_close() -> None:
    assert advice("rules: [{do: [half_close, delay: 1s, echo, send: x, receive: {framing: line, into: x}]}]") == [
        "rules[0].do[2]: sends nothing: do[0] has closed our half",
        "rules[0].do[4]: hears nothing: do[0] has closed our half",
    ]
    assert advice("rules: [{do: [echo, half_close, delay: 1s, close]}]") == []
