"""A word that the language had before is rejected with the word of today, and the place where it stands."""

import pytest

from tests.language.configurations import problems_of

RENAMED = {
    "rules: [{do: [hold]}]": "4:19: listeners[0].rules[0].do[0]: `hold` is called `hang`",
    "rules: [{do: [{hold: {}}]}]": "4:20: listeners[0].rules[0].do[0].hold: `hold` is called `hang`",
    "rules: [{do: [frame: line]}]": "4:19: listeners[0].rules[0].do[0].frame: `frame` is called `framing`",
    "rules: [{do: [take: {framing: line}]}]": "4:19: listeners[0].rules[0].do[0].take: `take` is called `receive`",
    "rules: [{do: [receive: {framing: line, set: x}]}]": (
        "4:44: listeners[0].rules[0].do[0].receive.set: `set` is called `into`"
    ),
    "rules: [{replies: {of: [[echo]], then: HOLD}}]": (
        "4:44: listeners[0].rules[0].replies.then: `HOLD` is called `REPEAT_LAST`"
    ),
    "framing: {length_prefix: {width: 2, little_endian: true}}": (
        "4:41: listeners[0].framing.length_prefix.little_endian: `little_endian` is called `encoding`"
    ),
    "faults: [cut]": "4:14: listeners[0].faults[0]: `cut` is called `truncate`",
    "faults: [{first: 1, drop: {}}]": "4:15: listeners[0].faults[0].first: `first` is called `times`",
    "faults: [{after: 1, drop: {}}]": "4:15: listeners[0].faults[0].after: `after` is called `skip`",
    "faults: [{scope: CONNECTION, drop: {}}]": "4:15: listeners[0].faults[0].scope: `scope` is called `target`",
    "faults: [{target: REQUEST, drop: {}}]": "4:23: listeners[0].faults[0].target: `REQUEST` is called `REPLY`",
}


@pytest.mark.parametrize("text, problem", RENAMED.items())
def test_former_name_is_rejected_with_its_new_name_and_place(text: str, problem: str) -> None:
    found = problems_of(f"listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    {text}\n")
    assert found[0] == problem


def test_former_names_that_are_valid_elsewhere_are_accepted_there() -> None:
    for text in ("accept: HOLD", "rules: [{scope: CONNECTION, times: 1}]", "faults: [{hang: {after: 1s}}]"):
        assert problems_of(f"listeners:\n  - name: it\n    address: 127.0.0.1:7000\n    {text}\n") == []
