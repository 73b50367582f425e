import pytest

from answerback.language.check import check
from tests.language.configurations import rule, said


def problems(text: str, files: dict[str, bytes] | None = None) -> list[str]:
    """What is wrong with a rule; the path is that within the rule."""
    return [line.removeprefix("listeners[0].rules[0].") for line in said(check(rule(text), files or {}))]


def test_unread_file_is_not_reported_twice_and_a_too_large_one_is_rejected() -> None:
    assert problems("when: {bytes: {equals: {file: nowhere}}}, do: [send: {file: nowhere}]") == []
    assert problems("do: [send: {file: f}]", {"f": bytes((16 << 20) + 1)}) == [
        "do[0].send.file: 16777217 bytes; at most 16777216 are sent at once",
    ]


TEMPLATES = {
    "${reqest}": "unknown name 'reqest'; did you mean request? (at character 3)",
    "é${len(request": "${ without its } (at character 2)",
    "a $b": "a single $: write $$ for a dollar, ${…} for a value (at character 3)",
    "${1}": "no capture 1: no regex with a group makes the rule match (at character 3)",
}


@pytest.mark.parametrize("template, why", TEMPLATES.items())
def test_template_problem_names_its_position(template: str, why: str) -> None:
    assert problems(f"do: [send: {{template: '{template}'}}]") == [f"do[0].send.template: {why}"]


def test_template_with_a_group_of_another_pattern_is_rejected() -> None:
    when = "when: {any: [{regex: '(a)(?P<b>b)'}, {all: [{regex: '(?P<c>c)'}]}, {not: {regex: '(?P<d>d)'}}]}"
    for right in ("${1}${2}", "${b}${c}", "${vars.never_set}"):
        assert problems(f"{when}, do: [set: {{name: x, value: {{template: '{right}'}}}}]") == []
    assert problems(f"{when}, replies: {{of: [[send: {{template: '${{3}}'}}], [send: {{template: '${{d}}'}}]]}}") == [
        "replies.of[0].do[0].send.template: no capture 3: they are 1 to 2 (at character 3)",
        "replies.of[1].do[0].send.template: unknown name 'd'; captures: b, c (at character 3)",
    ]


def test_invalid_pattern_causes_no_problems_in_templates() -> None:
    """What it would have captured is not known, so no template that looks it up is wrong; others are."""
    assert problems("when: {regex: '(a'}, do: [send: {template: '${1}${name}'}, send: {template: '${u16be()}'}]") == [
        "when.regex: invalid RE2: missing ): (a",
        "do[1].send.template: 0 arguments; write u16be(n) (at character 3)",
    ]
