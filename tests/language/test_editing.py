"""Changes of one listener that leave the others unchanged."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from answerback.document.document import load
from answerback.language.editing import BadMask, ListenerExists, NoSuchListener, created, deleted, index_of, updated
from answerback.v1 import config_pb2 as v1
from tests.language.strategies import configs

TWO = """
listeners:
  - name: a
    address: 127.0.0.1:1
    framing: {line: {keep_ending: true}}
    limits: {idle_timeout: 1s, lifetime: 2s}
    rules: [{do: [echo]}]
  - {name: b, address: "127.0.0.1:2"}
"""


def config(text: str = TWO) -> v1.Config:
    document = load(text)
    assert not document.problems
    return document.config


def listener(text: str) -> v1.Listener:
    """One listener, in a file's words."""
    return config(f"listeners: [{text}]").listeners[0]


def changed(text: str, *mask: str) -> v1.Listener:
    """The first listener of TWO, updated."""
    return updated(config(), listener(text), mask).listeners[0]


def names(of: v1.Config) -> list[str]:
    return [each.name for each in of.listeners]


def test_created_listener_is_appended() -> None:
    new = listener("{name: c, address: '127.0.0.1:3'}")
    after = created(config(), new)
    assert names(after) == ["a", "b", "c"]
    assert after.listeners[2] == new


def test_created_listener_with_existing_name_is_rejected() -> None:
    with pytest.raises(ListenerExists, match="listener 'a' already exists"):
        created(config(), listener("{name: a}"))


def test_deleted_listener_is_removed() -> None:
    assert names(deleted(config(), "a")) == ["b"]


def test_delete_of_missing_listener_fails_unless_allow_missing() -> None:
    with pytest.raises(NoSuchListener, match="no listener 'c'"):
        deleted(config(), "c")
    assert deleted(config(), "c", allow_missing=True) == config()


def test_updated_field_is_replaced_and_others_kept() -> None:
    after = changed("{name: a, address: '127.0.0.1:9'}", "address")
    assert after.address == "127.0.0.1:9"
    assert after.rules == config().listeners[0].rules


def test_update_with_unset_field_clears_it() -> None:
    after = changed("{name: a}", "rules", "limits")
    assert not after.rules
    assert not after.HasField("limits")
    assert after.address == "127.0.0.1:1"


def test_updated_nested_field_is_replaced_and_its_siblings_kept() -> None:
    after = changed("{name: a, limits: {idle_timeout: 9s, lifetime: 9s}}", "limits.idle_timeout")
    assert (after.limits.idle_timeout.seconds, after.limits.lifetime.seconds) == (9, 2)


def test_update_with_unset_nested_field_clears_only_it() -> None:
    after = changed("{name: a}", "limits.idle_timeout")
    assert not after.limits.HasField("idle_timeout")
    assert after.limits.lifetime.seconds == 2


def test_update_clearing_a_field_of_missing_message_adds_nothing() -> None:
    after = updated(config(), listener("{name: b}"), ["limits.idle_timeout"]).listeners[1]
    assert not after.HasField("limits")


def test_update_of_field_in_other_oneof_member_switches_the_member() -> None:
    after = changed("{name: a, framing: {read: {max_bytes: 7}}}", "framing.read.max_bytes")
    assert after.framing.read.max_bytes == 7
    emptied = changed("{name: a, framing: line}", "framing.line.keep_ending")
    assert emptied.framing.HasField("line")
    assert not emptied.framing.line.keep_ending


def test_update_mask_star_replaces_the_listener() -> None:
    given = listener("{name: a, address: '127.0.0.1:9'}")
    assert updated(config(), given, ["*"]).listeners[0] == given


def test_update_without_mask_takes_all_set_fields() -> None:
    after = changed("{name: a, limits: {idle_timeout: 9s}}")
    assert after.limits.idle_timeout.seconds == 9
    assert not after.limits.HasField("lifetime"), "each field whole"
    assert after.rules == config().listeners[0].rules


def test_update_of_missing_listener_creates_it_if_allow_missing() -> None:
    new = listener("{name: c, address: '127.0.0.1:3'}")
    with pytest.raises(NoSuchListener):
        updated(config(), new)
    assert updated(config(), new, ["rules"], allow_missing=True).listeners[2] == new


def test_update_mask_with_bad_paths_is_rejected_with_each_of_them() -> None:
    with pytest.raises(BadMask) as raised:
        changed("{name: a}", "adress", "limits.idle", "rules.name", "name.first", "", "address", "*")
    assert [str(problem) for problem in raised.value.problems] == [
        "update_mask.paths[0]: 'adress': Listener has no field 'adress'",
        "update_mask.paths[1]: 'limits.idle': Limits has no field 'idle'",
        "update_mask.paths[2]: 'rules.name': rules is a list, which is taken whole",
        "update_mask.paths[3]: 'name.first': there is nothing in name",
        "update_mask.paths[4]: '': Listener has no field ''",
        "update_mask.paths[6]: `*` selects all fields and must be the only path",
    ]


@given(configs(), some.data())
def test_edit_leaves_other_listeners_and_its_input_unchanged(before: v1.Config, data: some.DataObject) -> None:
    assume(before.listeners and len({each.name for each in before.listeners}) == len(before.listeners))
    given = v1.Config()
    given.CopyFrom(before)
    chosen = data.draw(some.sampled_from(list(before.listeners)))
    index = index_of(before, chosen.name)
    assert index is not None
    others = [*before.listeners[:index], *before.listeners[index + 1 :]]
    assert list(deleted(before, chosen.name).listeners) == others
    assert list(created(deleted(before, chosen.name), chosen).listeners) == [*others, chosen]
    for mask in ((), ("*",), [field.name for field in v1.Listener.DESCRIPTOR.fields]):
        assert updated(before, chosen, mask) == before
        replaced = updated(before, v1.Listener(name=chosen.name), mask)
        assert [*replaced.listeners[:index], *replaced.listeners[index + 1 :]] == others
    assert before == given
