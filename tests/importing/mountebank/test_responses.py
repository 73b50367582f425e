"""Responses of mountebank as scripts: the same bytes, in the same turn, after the same time."""

from typing import Any

import pytest

from answerback.explain.events import Closed
from tests.explain.explaining import only, sent
from tests.importing.mountebank.importing import complete, conversation, imported, imposter, notes


def replies(*responses: dict[str, Any], requests: int = 1, request: bytes = b"x", **fields: Any) -> list[Any]:
    outcome = complete(imposter({"responses": list(responses)}, **fields))
    return sent(conversation(outcome, [request] * requests))


def said(*responses: dict[str, Any], requests: int = 1, request: bytes = b"x", **fields: Any) -> list[bytes]:
    return [data for _, data in replies(*responses, requests=requests, request=request, **fields)]


def copying(selector: str, into: str = "${X}", **options: bool) -> dict[str, Any]:
    using: dict[str, Any] = {"method": "regex", "selector": selector}
    return {"from": "data", "into": into, "using": using | ({"options": options} if options else {})}


def echoing(data: str, *copies: dict[str, Any]) -> dict[str, Any]:
    return {"is": {"data": data}, "behaviors": [{"copy": each} for each in copies]}


def test_responses_take_turns_and_begin_again() -> None:
    turns = said({"is": {"data": "one"}}, {"is": {"data": "two"}}, requests=5)
    assert turns == [b"one", b"two", b"one", b"two", b"one"]


@pytest.mark.parametrize(
    "first",
    [
        {"repeat": 2},
        {"repeat": "2"},
        {"_behaviors": {"repeat": 2}},
        {"behaviors": [], "repeat": 2},
    ],
)
def test_repeated_response_has_as_many_turns(first: dict[str, Any]) -> None:
    turns = said({"is": {"data": "one"}} | first, {"is": {"data": "two"}}, requests=4)
    assert turns == [b"one", b"one", b"two", b"one"]


def test_turns_are_counted_for_all_connections() -> None:
    rule = (
        complete(imposter({"responses": [{"is": {"data": "1"}}, {"is": {"data": "2"}}]})).config.listeners[0].rules[0]
    )
    assert rule.scope == 0, "the default: the listener"


def test_response_without_data_sends_the_default_response() -> None:
    assert said({"is": {}}, {"is": {"data": ""}}, requests=2, defaultResponse={"data": "?"}) == [b"?", b"?"]
    assert said({"is": {}}) == []


def test_request_without_a_stub_gets_the_default_response() -> None:
    outcome = complete({"protocol": "tcp", "port": 1, "defaultResponse": {"data": "?"}})
    assert sent(conversation(outcome, [b"x"])) == [(0, b"?")]
    assert complete({"protocol": "tcp", "port": 1}).config.listeners[0].rules == []


def test_binary_data_are_sent_as_bytes() -> None:
    assert said({"is": {"data": "AP8="}}, mode="binary") == [b"\x00\xff"]
    assert said({"is": {}}, mode="binary", defaultResponse={"data": "gA=="}) == [b"\x80"]


def test_dollars_of_data_stay_dollars() -> None:
    assert said({"is": {"data": "${request} $5"}}) == [b"${request} $5"]
    assert said(echoing("$${X} $1", copying("x"))) == [b"$x $1"]


@pytest.mark.parametrize(
    "behaviors",
    [
        {"_behaviors": {"wait": 250}},
        {"_behaviors": {"wait": "250"}},
        {"behaviors": [{"wait": 200}, {"wait": 50}]},
        {"behaviors": [{"wait": 200}, {"wait": "50 ms"}]},
    ],
)
def test_reply_waits_before_it_is_sent(behaviors: dict[str, Any]) -> None:
    assert replies({"is": {"data": "late"}} | behaviors) == [(0.25, b"late")]


def test_copied_values_come_from_the_request() -> None:
    pair = copying(r"(\w+)=(\w+)")
    assert said(echoing("<${X}> ${X}[1] ${X}[2] ${X}[3]", pair), request=b"set a=1") == [b"<a=1> a 1 a=1[3]"]
    two = (copying("^[a-z]+", "A"), copying("[0-9]+$", "B"))
    assert said(echoing("A B", *two), request=b"ab12") == [b"ab 12"]


def test_token_stays_where_the_pattern_finds_nothing() -> None:
    assert said(echoing("<${X}> ${X}[1]", copying("(a)b'")), request=b"none") == [b"<${X}> ${X}[1]"]


def test_copied_values_heed_the_case_unless_told() -> None:
    assert said(echoing("${X}", copying("abc")), request=b"ABC") == [b"${X}"]
    assert said(echoing("${X}", copying("abc", ignoreCase=True)), request=b"ABC") == [b"ABC"]


def test_copies_of_several_responses_of_a_stub_are_kept_apart() -> None:
    turns = said(
        echoing("1 ${X}", copying("[a-z]")), echoing("2 ${X}", copying("[0-9]")), requests=2, request=b"a7"
    )  # fmt: skip
    assert turns == [b"1 a", b"2 7"]


def test_faults_end_the_connection() -> None:
    transcript = conversation(complete(imposter({"responses": [{"fault": "CONNECTION_RESET_BY_PEER"}]})), [b"x"])
    assert (sent(transcript), only(transcript, Closed)[0].reset) == ([], True)
    transcript = conversation(complete(imposter({"responses": [{"fault": "RANDOM_DATA_THEN_CLOSE"}]})), [b"x"])
    ((_, garbage),) = sent(transcript)
    assert (len(garbage), only(transcript, Closed)[0].reset) == (32, False)


WITHOUT_EQUIVALENT = [
    ({"inject": "function () {}"}, "inject", "JavaScript has no equivalent: nothing is sent"),
    ({"proxy": {"to": "tcp://127.0.0.1:1"}}, "proxy", "no equivalent: nothing is sent"),
    ({"fault": "EXPLODE"}, "fault", "mountebank has no fault 'EXPLODE'"),
    ({"is": {"data": 5}}, "is.data", "text is expected, not '5'"),
    ({"is": "x"}, "is", "an object is expected, not 'x'"),
    ({}, "", "a response has one of is, proxy, inject, fault, not none"),
    ({"is": {}, "fault": "x"}, "", "a response has one of is, proxy, inject, fault, not is and fault"),
]


@pytest.mark.parametrize("response, path, message", WITHOUT_EQUIVALENT)
def test_response_without_an_equivalent_keeps_its_turn_and_is_noted(
    response: dict[str, Any], path: str, message: str
) -> None:
    outcome = imported(imposter({"responses": [{"is": {"data": "1"}}, response, {"is": {"data": "3"}}]}))
    (note,) = notes(outcome)
    place = f"imposters[0].stubs[0].responses[1]{f'.{path}' * bool(path)}"
    assert note.startswith(f"{place}: {message}")
    assert sent(conversation(outcome, [b"x"] * 4)) == [(0, b"1"), (2, b"3"), (3, b"1")]


NOTED = [
    ({"behaviors": [{"wait": "function () { return 5; }"}]}, "behaviors[0].wait", "JavaScript has no equivalent"),
    ({"behaviors": [{"decorate": "f"}]}, "behaviors[0].decorate", "JavaScript has no equivalent"),
    ({"_behaviors": {"decorate": "f"}}, "_behaviors.decorate", "JavaScript has no equivalent"),
    ({"_behaviors": {"shellTransform": ["ls"]}}, "_behaviors.shellTransform[0]", "a shell command has no equivalent"),
    ({"behaviors": [{"lookup": {}}]}, "behaviors[0].lookup", "no equivalent: the tokens stay"),
    ({"behaviors": [{"pause": 5}]}, "behaviors[0].pause", "mountebank has no behavior 'pause'"),
    ({"behaviors": {"wait": 5}}, "behaviors", "an array is expected"),
    ({"behaviors": [], "_behaviors": {"wait": 5}}, "_behaviors", "mountebank ignores this beside `behaviors`"),
    ({"repeat": 1, "_behaviors": {"wait": 5}}, "_behaviors", "mountebank ignores this beside `repeat`"),
    ({"repeat": 0}, "repeat", "mountebank needs a number above 0"),
    ({"repeat": "often"}, "repeat", "a whole number is expected, not 'often'"),
    ({"delay": 5}, "delay", "mountebank has no field 'delay' of a response"),
    ({"behaviors": [{"copy": {"into": "x"}}]}, "behaviors[0].copy", "using is missing"),
    ({"behaviors": [{"copy": copying("a") | {"from": "ip"}}]}, "behaviors[0].copy.from", "no equivalent: only `data`"),
    ({"behaviors": [{"copy": copying("a") | {"from": {"query": "a"}}}]}, "behaviors[0].copy.from", "no equivalent"),
    ({"behaviors": [{"copy": copying("a", "")}]}, "behaviors[0].copy", "mountebank needs a token"),
    ({"behaviors": [{"copy": copying("(?=a)")}]}, "behaviors[0].copy.using.selector", "RE2 has no look-around"),
    (
        {"behaviors": [{"copy": copying("^a", multiline=True)}]},
        "behaviors[0].copy.using.options.multiline",
        "no equivalent: write the ends of lines",
    ),
    (
        {"behaviors": [{"copy": copying("a") | {"using": {"method": "xpath", "selector": "//a"}}}]},
        "behaviors[0].copy.using.method",
        "no equivalent: the token stays",
    ),
]  # fmt: skip


@pytest.mark.parametrize("extra, path, message", NOTED)
def test_reply_is_sent_without_what_has_no_equivalent_which_is_noted(
    extra: dict[str, Any], path: str, message: str
) -> None:
    outcome = imported(imposter({"responses": [{"is": {"data": "${X}"}} | extra, {"is": {"data": "2"}}]}))
    found = notes(outcome)
    assert found[0].startswith(f"imposters[0].stubs[0].responses[0].{path}: {message}")
    whole = path == "behaviors"  # what cannot be read as behaviors at all
    assert [data for _, data in sent(conversation(outcome, [b"x"] * 2))] == ([b"2"] if whole else [b"${X}", b"2"])


def test_multiline_pattern_without_ends_of_lines_is_copied() -> None:
    assert said(echoing("${X}", copying("x", multiline=True))) == [b"x"]


def test_copy_in_binary_mode_is_noted() -> None:
    outcome = imported(imposter({"responses": [echoing("eA==", copying("x"))]}, mode="binary"))
    assert "no equivalent for tcp in binary mode" in notes(outcome)[0]


def test_repetitions_beyond_a_bound_are_left_out_and_noted() -> None:
    outcome = imported(imposter({"responses": [{"is": {"data": "1"}, "repeat": 2000}, {"is": {"data": "2"}}]}))
    behind, repeated = notes(outcome)
    assert behind == "imposters[0].stubs[0].responses: those behind the first 1000 are left out"
    assert "only 1000 of its repetitions" in repeated
    assert len(outcome.config.listeners[0].rules[0].replies.of) == 0, "the same each time"
    assert said({"is": {"data": "1"}, "repeat": 10**9}) == [b"1"], "alone, it is sent forever"


def test_wait_that_is_too_long_leaves_out_the_stub_with_the_reason() -> None:
    outcome = imported(imposter({"responses": [{"is": {"data": "1"}, "behaviors": [{"wait": 3_600_001}]}]}))
    (note,) = notes(outcome)
    assert note.startswith("imposters[0].stubs[0]: left out: do[0].delay.fixed: must be 0 to 1h")
