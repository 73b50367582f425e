"""Rules and faults that have a counter shared by all workers."""

import pytest

from answerback.shared.counters import CounterLayout
from answerback.supervisor.rollout.rule_counters import RuleCounters
from answerback.v1 import config_pb2 as v1

SEND = v1.Step(send=v1.Payload(text="x"))
RULES = {
    "times": v1.Rule(times=1),
    "replies": v1.Rule(replies=v1.Replies()),
}
FAULTS = {
    "skip": v1.Fault(skip=1),
    "times": v1.Fault(times=1),
    "every": v1.Fault(every=2),
}


def found(*listeners: v1.Listener) -> int:
    return len(RuleCounters(CounterLayout()).plan(v1.Config(listeners=listeners)))


@pytest.mark.parametrize("name", RULES)
def test_rule_with_a_count_has_a_shared_counter(name: str) -> None:
    assert found(v1.Listener(name="it", rules=[v1.Rule(), RULES[name]])) == 1


@pytest.mark.parametrize("name", FAULTS)
def test_fault_with_a_count_has_a_shared_counter(name: str) -> None:
    assert found(v1.Listener(name="it", faults=[v1.Fault(probability=0.5), FAULTS[name]])) == 1


def test_equal_rules_of_two_listeners_have_their_own_counters() -> None:
    counters = RuleCounters(CounterLayout())
    config = v1.Config(listeners=[v1.Listener(name=name, rules=[RULES["times"]]) for name in ("one", "two")])
    counters.commit(counters.plan(config))
    assert [len(counters.cells(name)) for name in ("", "one", "two", "three")] == [2, 1, 1, 0]


def test_shared_counter_places_are_exactly_those_of_the_named_rules() -> None:
    counters = RuleCounters(CounterLayout())
    config = v1.Config(listeners=[v1.Listener(name="it", rules=[RULES["times"]], faults=[FAULTS["every"]])])
    counters.commit(counters.plan(config))
    (rule,) = counters.cells("it", [(v1.Rule, "rules[0]")])
    (fault,) = counters.cells("it", [(v1.Fault, "faults[0]")])
    assert (len(rule.cells), len(fault.cells)) == (1, 3)
    assert not {*rule.cells} & {*fault.cells}
    assert counters.cells("it", [(v1.Fault, "rules[0]")]) == []
    assert sorted(cell for each in counters.cells() for cell in each.cells) == sorted([*rule.cells, *fault.cells])


def test_proposed_counters_not_decided_are_not_kept() -> None:
    counters = RuleCounters(CounterLayout())
    config = v1.Config(listeners=[v1.Listener(name="it", rules=[RULES["times"]])])
    (first,) = counters.plan(config).values()
    (second,) = counters.plan(config).values()
    assert first.cells != second.cells
    assert counters.cells() == []
