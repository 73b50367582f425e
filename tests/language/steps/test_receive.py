"""What may be wrong with `receive`."""

from tests.language.configurations import wrong_in


def test_expect_may_ask_for_the_frame_on_an_event_without_a_request() -> None:
    assert wrong_in("event: CONNECT, do: [receive: {framing: line, expect: {prefix: a}}]") == []
    assert wrong_in("""event: CONNECT, do: [receive: {framing: line, expect: {expr: "request == 'a'"}}]""") == []
    (problem,) = wrong_in(
        """event: CONNECT, do: [receive: {framing: line, expect: a}, send: {template: "${request}"}]"""
    )
    assert problem.startswith("do[1].send.template: ")


def test_captures_of_expect_are_names_only_in_the_steps_behind_it() -> None:
    receive = "receive: {framing: line, expect: {regex: '(?P<one>.)'}}"
    assert wrong_in(f"do: [{receive}, send: {{template: '${{one}}${{1}}'}}]") == []
    before, after = wrong_in(f"do: [send: {{template: '${{one}}'}}, {receive}, send: {{template: '${{2}}'}}]")
    assert before.startswith("do[0].send.template: unknown name 'one'")
    assert after.startswith("do[2].send.template: no capture 2: they are 1 to 1")


def test_expect_may_not_name_a_group_as_the_rule_or_an_earlier_frame_does() -> None:
    receive = "receive: {framing: line, expect: {regex: '(?P<one>.)'}}"
    twice = "a group is named 'one' in a condition before it; give it another name"
    assert wrong_in(f"when: {{regex: '(?P<one>a)'}}, do: [{receive}]") == [f"do[0].receive.expect: {twice}"]
    assert wrong_in(f"do: [{receive}, {receive}]") == [f"do[1].receive.expect: {twice}"]
    assert wrong_in(f"replies: {{of: [[{receive}], [{receive}]]}}") == []


def test_expect_knows_the_fields_of_its_own_framing_alone() -> None:
    condition = """expect: {expr: "http.method == 'GET'"}"""
    assert wrong_in(f"do: [receive: {{framing: http, {condition}}}]") == []
    (problem,) = wrong_in(f"do: [receive: {{framing: line, {condition}}}]")
    assert problem.startswith("do[0].receive.expect.expr: unknown name 'http.method'")
    (outside,) = wrong_in("do: [receive: {framing: http}, send: {template: '${http.method}'}]")
    assert outside.startswith("do[1].send.template: unknown name 'http.method'")


def test_wrong_expect_is_rejected_with_its_place() -> None:
    assert wrong_in("do: [receive: {framing: line, expect: {regex: '('}}]") == [
        "do[0].receive.expect.regex: invalid RE2: missing ): ("
    ]
    (problem,) = wrong_in("do: [receive: {framing: line, expect: {any: {of: []}}}]")
    assert problem.startswith("do[0].receive.expect.any: an empty list")


def test_pattern_of_expect_that_would_search_for_seconds_is_rejected() -> None:
    costly = "(?:ab|cd?e){300}x"
    (of_rule,) = wrong_in(f"do: [framing: line], when: {{regex: '{costly}'}}")
    (of_frame,) = wrong_in(f"do: [receive: {{framing: line, expect: {{regex: '{costly}'}}}}]")
    assert "so that no request takes seconds" in of_rule
    assert of_frame == "do[0].receive.expect" + of_rule.removeprefix("when")
