"""Faults added to a configuration, removed from it, and expired."""

import pytest

from answerback.document.document import load
from answerback.language.editing import NoSuchListener
from answerback.language.fault_editing import (
    FaultExists,
    NoSuchFault,
    expired_faults,
    fault_added,
    fault_removed,
    next_expiry,
    without_expired,
)
from answerback.v1 import config_pb2 as v1

CONFIG = load("""
listeners:
- {name: a, address: "127.0.0.1:1", faults: [{name: one, drop: {}}, {reset: {}}]}
- {name: b, address: "127.0.0.1:2"}
""").config
TEMPORARY = load("""
listeners:
- name: a
  address: "127.0.0.1:1"
  faults:
  - {name: one, expire_time: "1970-01-01T00:00:01Z", drop: {}}
  - {reset: {}}
  - {expire_time: "1970-01-01T00:00:03Z", drop: {}}
- {name: b, address: "127.0.0.1:2", faults: [{name: two, expire_time: "1970-01-01T00:00:02Z", hang: {}}]}
""").config
SECOND = 10**9


def fault(**fields: object) -> v1.Fault:
    return v1.Fault(drop=v1.Fault.Drop(), **fields)  # type: ignore[arg-type]


def names(config: v1.Config, listener: int = 0) -> list[str]:
    return [each.name for each in config.listeners[listener].faults]


def test_added_fault_is_the_last() -> None:
    before = CONFIG.SerializeToString()
    changed, at = fault_added(CONFIG, "a", fault(name="new"))
    assert (names(changed), at) == (["one", "", "new"], 2)
    assert changed.listeners[1] == CONFIG.listeners[1]
    assert CONFIG.SerializeToString() == before


def test_fault_without_name_gets_its_kind_as_its_name() -> None:
    changed, at = fault_added(CONFIG, "b", fault())
    assert (names(changed, 1), at) == (["drop"], 0)
    again, at = fault_added(changed, "b", fault())
    assert (names(again, 1), at) == (["drop", "drop-2"], 1)
    without_kind, _ = fault_added(CONFIG, "b", v1.Fault())
    assert names(without_kind, 1) == ["fault"]


def test_fault_of_a_taken_name_is_rejected_or_replaces_it_in_its_place() -> None:
    with pytest.raises(FaultExists, match="listener 'a' has a fault 'one' already"):
        fault_added(CONFIG, "a", fault(name="one", skip=3))
    changed, at = fault_added(CONFIG, "a", fault(name="one", skip=3), replace=True)
    assert (names(changed), at) == (["one", ""], 0)
    assert changed.listeners[0].faults[0].skip == 3
    assert fault_added(CONFIG, "a", fault(name="new"), replace=True)[1] == 2


def test_fault_is_removed_by_name_or_position() -> None:
    assert names(fault_removed(CONFIG, "a", "one")) == [""]
    assert names(fault_removed(CONFIG, "a", "faults[1]")) == ["one"]
    assert len(CONFIG.listeners[0].faults) == 2


@pytest.mark.parametrize("listener, key", [("a", "faults[0]"), ("a", "two"), ("b", "one"), ("a", "")])
def test_removal_of_a_missing_fault_is_rejected_unless_it_may_be_missing(listener: str, key: str) -> None:
    with pytest.raises(NoSuchFault):
        fault_removed(CONFIG, listener, key)
    assert fault_removed(CONFIG, listener, key, allow_missing=True) == CONFIG


def test_missing_listener_is_rejected_unless_it_may_be_missing() -> None:
    with pytest.raises(NoSuchListener):
        fault_added(CONFIG, "c", fault(), replace=True)
    with pytest.raises(NoSuchListener):
        fault_removed(CONFIG, "c", "one")
    assert fault_removed(CONFIG, "c", "one", allow_missing=True) == CONFIG


def test_next_expiry_is_the_earliest_of_all_listeners() -> None:
    assert next_expiry(TEMPORARY) == SECOND
    assert next_expiry(without_expired(TEMPORARY, SECOND)) == 2 * SECOND
    assert next_expiry(CONFIG) is None


@pytest.mark.parametrize(
    "now, expired",
    [
        (SECOND - 1, []),
        (SECOND, [("a", "one")]),
        (2 * SECOND, [("a", "one"), ("b", "two")]),
        (9 * SECOND, [("a", "one"), ("a", "faults[2]"), ("b", "two")]),
    ],
)
def test_faults_expire_at_their_time(now: int, expired: list[tuple[str, str]]) -> None:
    before = TEMPORARY.SerializeToString()
    assert expired_faults(TEMPORARY, now) == expired
    left = without_expired(TEMPORARY, now)
    assert sum(len(listener.faults) for listener in left.listeners) == 4 - len(expired)
    assert any(each.HasField("reset") for each in left.listeners[0].faults)
    assert expired_faults(left, now) == []
    assert TEMPORARY.SerializeToString() == before
