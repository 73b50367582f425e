"""A payload file that only the operator may name stays in its rule: the API cannot move it."""

from pathlib import Path
from typing import Any

import pytest

from answerback.language.editing import updated
from answerback.language.problems import InvalidConfig
from answerback.supervisor.rollout.outside_files import WHY, misplaced
from answerback.v1 import config_pb2 as v1
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import ANY, Edited, config

SECRET = "{when: {equals: s3cret}, do: [send: {file: secret}]}"
FAULT = "{times: 1, latency: 1ms}"


def listening(*rules: str, name: str = "a", address: str = ANY, more: str = "") -> str:
    return f"\n- {{name: {name}, address: '{address}', framing: line, {more} rules: [{', '.join(rules)}]}}"


ACTIVE = config(listening("{when: hi, do: [send: hello]}", SECRET), listening("{do: [close]}", name="b"))

KEPT = {
    "nothing is changed": [listening("{when: hi, do: [send: hello]}", SECRET), listening("{do: [close]}", name="b")],
    "it is the only rule": [listening(SECRET)],
    "a rule comes before it": [listening("{when: new, do: [close]}", "{when: hi, do: [send: hello]}", SECRET)],
    "another rule is changed": [listening("{when: hi, do: [send: changed]}", SECRET)],
    "limits and faults are changed": [listening(SECRET, more=f"limits: {{idle_timeout: 1s}}, faults: [{FAULT}],")],
    "another listener is changed": [listening(SECRET), listening("{do: [send: new]}", name="b")],
    "it is not named any more": [listening("{do: [close]}")],
}

MOVED = {
    "it is in another listener": ([listening(SECRET, name="b")], "listeners[0].rules[0].do[0].send.file"),
    "it is in a new listener": (
        [listening(SECRET), listening(SECRET, name="c")],
        "listeners[1].rules[0].do[0].send.file",
    ),
    "the listener is at another address": (
        [listening(SECRET, address="0.0.0.0:0")],
        "listeners[0].rules[0].do[0].send.file",
    ),
    "its condition is gone": ([listening("{do: [send: {file: secret}]}")], "listeners[0].rules[0].do[0].send.file"),
    "its condition is another": (
        [listening("{when: {equals: easy}, do: [send: {file: secret}]}")],
        "listeners[0].rules[0].do[0].send.file",
    ),
    "a new rule sends it too": (
        [listening(SECRET, "{do: [send: {file: secret}]}")],
        "listeners[0].rules[1].do[0].send.file",
    ),
    "it is sent twice": (
        [listening("{when: {equals: s3cret}, do: [send: {file: secret}, send: {file: secret}]}")],
        "listeners[0].rules[0].do[0].send.file",
    ),
    "the rule has a name": ([listening(SECRET.replace("{when", "{name: x, when"))], "rules[0].do[0].send.file"),
}


def found(text: list[str]) -> list[tuple[str, str]]:
    return list(misplaced(config(*text), ACTIVE, {"secret"}))


@pytest.mark.parametrize("what", KEPT)
def test_payload_file_of_the_operator_may_stay_in_its_rule(what: str) -> None:
    assert found(KEPT[what]) == []


@pytest.mark.parametrize("what", MOVED)
def test_payload_file_of_the_operator_may_not_move_through_the_api(what: str) -> None:
    text, path = MOVED[what]
    places = found(text)
    assert places
    assert places[0][1] == "secret"
    assert places[0][0].endswith(path)


def test_payload_file_readable_by_the_api_may_move() -> None:
    text, _ = MOVED["it is in a new listener"]
    assert list(misplaced(config(*text), ACTIVE, {"other"})) == []


def test_payload_files_of_2000_equal_rules_are_compared_in_linear_time() -> None:
    """Each is looked up, not compared with each."""
    many = config(listening(*[SECRET] * 2000))
    assert list(misplaced(many, many, {"secret"})) == []
    changed = v1.Config()
    changed.CopyFrom(many)
    for rule in changed.listeners[0].rules:
        rule.name = "x"
    assert len(list(misplaced(changed, many, {"secret"}))) == 2000


# ── Through every door of the API ───────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
async def supervisor(supervise: Supervise, tmp_path: Path) -> Any:
    (tmp_path / "secret").write_bytes(b"content")
    return await supervise(listening("{when: hi, do: [send: hello]}", SECRET))


def problem_of(refused: pytest.ExceptionInfo[InvalidConfig]) -> str:
    (problem,) = refused.value.problems
    assert problem.message == f"cannot use 'secret': {WHY}"
    return problem.path


async def test_update_keeps_an_outside_file_in_its_rule_only(supervisor: Any) -> None:
    change = await supervisor.update(config(listening("{when: hi, do: [send: changed]}", SECRET)))
    assert change.changed
    assert dict(supervisor.current.files) == {"secret": b"content"}
    with pytest.raises(InvalidConfig) as refused:
        await supervisor.update(config(listening(SECRET), listening("{do: [send: {file: secret}]}", name="mine")))
    assert problem_of(refused) == "listeners[1].rules[0].do[0].send.file"
    assert supervisor.current.number == change.revision.number


async def test_dry_run_and_validation_reject_a_moved_payload_file(supervisor: Any) -> None:
    moved = config(listening("{do: [send: {file: secret}]}"))
    with pytest.raises(InvalidConfig) as refused:
        await supervisor.update(moved, validate_only=True)
    assert problem_of(refused) == "listeners[0].rules[0].do[0].send.file"
    assert [problem.path for problem in await supervisor.validate(moved)] == ["listeners[0].rules[0].do[0].send.file"]
    assert await supervisor.validate(supervisor.current.config) == []


@pytest.mark.parametrize("mask", [["rules"], ["*"], []])
async def test_update_of_a_listener_cannot_move_a_payload_file(supervisor: Any, mask: list[str]) -> None:
    (asked,) = config(listening("{do: [send: {file: secret}]}")).listeners
    with pytest.raises(InvalidConfig) as refused:
        await supervisor.edit(Edited(lambda current: updated(current, asked, mask, allow_missing=False)))
    assert problem_of(refused) == "listeners[0].rules[0].do[0].send.file"


async def test_update_of_limits_keeps_the_payload_file(supervisor: Any) -> None:
    (asked,) = config("\n- {name: a, limits: {idle_timeout: 5s}}").listeners
    change = await supervisor.edit(
        Edited(lambda now: updated(now, asked, ["limits.idle_timeout"], allow_missing=False))
    )
    assert change.changed
    assert dict(supervisor.current.files) == {"secret": b"content"}


async def test_update_of_address_with_a_payload_file_is_rejected(supervisor: Any) -> None:
    (asked,) = config(listening(SECRET, address="0.0.0.0:0")).listeners
    with pytest.raises(InvalidConfig) as refused:
        await supervisor.edit(Edited(lambda now: updated(now, asked, ["address"], allow_missing=False)))
    assert problem_of(refused) == "listeners[0].rules[1].do[0].send.file"


async def test_rollback_restores_an_outside_file_in_its_rule(supervisor: Any) -> None:
    await supervisor.update(config(listening("{do: [close]}")))
    with pytest.raises(InvalidConfig):
        await supervisor.update(config(listening(SECRET)))  # it is named nowhere any more
    await supervisor.rollback(1)
    assert dict(supervisor.current.files) == {"secret": b"content"}
    with pytest.raises(InvalidConfig) as refused:
        await supervisor.update(config(listening("{do: [send: {file: secret}]}")))
    assert problem_of(refused) == "listeners[0].rules[0].do[0].send.file"
