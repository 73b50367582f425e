import pytest

from answerback.language.builtin import BUILT_IN
from answerback.shared.counters import CounterLayout
from answerback.supervisor.rollout.rule_counters import RuleCounters
from answerback.v1 import config_pb2 as v1

RULE, FAULT = ("it", v1.Rule, "rules[0]"), ("it", v1.Fault, "faults[0]")


def config(rule: v1.Rule, fault: v1.Fault) -> v1.Config:
    return v1.Config(listeners=[v1.Listener(name="it", rules=[rule], faults=[fault])])


@pytest.fixture
def counters() -> RuleCounters:
    return RuleCounters(CounterLayout())


def test_rule_or_fault_that_counts_nothing_has_no_shared_counter(counters: RuleCounters) -> None:
    assert counters.plan(BUILT_IN) == {}
    assert counters.plan(config(v1.Rule(), v1.Fault(probability=0.5, drop=v1.Fault.Drop()))) == {}


def test_unchanged_rule_or_fault_keeps_its_shared_counter(counters: RuleCounters) -> None:
    first = counters.plan(config(v1.Rule(times=1), v1.Fault(times=1)))
    places = [first[RULE].cells, first[FAULT].cells]
    assert places == [range(1), range(1, 4)]
    counters.commit(first)
    again = counters.plan(config(v1.Rule(times=1), v1.Fault(times=1)))
    assert [again[RULE].cells, again[FAULT].cells] == places


def test_changed_rule_or_fault_gets_a_new_shared_counter(counters: RuleCounters) -> None:
    counters.commit(counters.plan(config(v1.Rule(times=1), v1.Fault(times=1))))
    changed = counters.plan(config(v1.Rule(times=2), v1.Fault(times=1, every=2)))
    assert (changed[RULE].cells, changed[FAULT].cells) == (range(4, 5), range(5, 8))  # behind the fault's three


def test_rule_with_a_window_has_a_cell_for_its_start(counters: RuleCounters) -> None:
    timed = v1.Rule(times=1)
    timed.per.seconds = 10
    assert len(counters.plan(config(timed, v1.Fault()))[RULE].cells) == 2


def test_counters_for_each_peer_are_those_with_this_scope(counters: RuleCounters) -> None:
    scopes = dict.fromkeys((v1.SCOPE_UNSPECIFIED, v1.SCOPE_LISTENER, v1.SCOPE_CONNECTION), False) | {
        v1.SCOPE_PEER: True
    }
    for scope, for_peers in scopes.items():
        found = counters.plan(config(v1.Rule(times=1, scope=scope), v1.Fault(skip=1, scope=scope)))
        assert (found[RULE].for_peers, found[FAULT].for_peers) == (for_peers, for_peers)
        counters.commit(found)
        assert [each.for_peers for each in counters.cells()] == [for_peers, for_peers]


def test_rule_and_fault_of_the_same_name_have_their_own_counters(counters: RuleCounters) -> None:
    found = counters.plan(config(v1.Rule(name="a", times=1), v1.Fault(name="a", skip=1)))
    assert len({each.cells for each in found.values()}) == 2
