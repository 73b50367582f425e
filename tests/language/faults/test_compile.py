import pytest

from answerback.core.bounded_counter import CountedFor
from answerback.core.delays import Exponential, Fixed
from answerback.core.faults import (
    Bandwidth,
    Corrupt,
    Drop,
    Effect,
    Ending,
    Fault,
    Hang,
    Latency,
    Point,
    Reset,
    Slice,
    SlowClose,
    Tls,
    Truncate,
    alert,
)
from answerback.language.faults import compile_fault
from answerback.language.faults.tls import PLAIN_TEXT
from answerback.v1 import config_pb2 as v1
from tests.language.compiling import only
from tests.language.configurations import listener

EFFECTS = {
    "latency: 1s": Latency(Fixed(1)),
    "latency: {exponential: {mean: 1s, max: 2s}}": Latency(Exponential(1, 2)),
    "bandwidth: {bytes_per_second: 10}": Bandwidth(10),
    "slice: {size: 3}": Slice(3, 0, 0),
    "slice: {size: 3, variation: 2, gap: 10ms}": Slice(3, 2, 0.01),
    "truncate: {}": Truncate(0, by_reset=False),
    "truncate: {bytes: 5, reset: true}": Truncate(5, by_reset=True),
    "hang: {}": Hang(0),
    "hang: {after: 1s}": Hang(1),
    "hang: {ignore_fin: true}": Hang(0, ignore_fin=True),
    "reset: {}": Reset(0),
    "reset: {after: 1s}": Reset(1),
    "slow_close: {delay: 1s}": SlowClose(Fixed(1)),
    "corrupt: {}": Corrupt(1),
    "corrupt: {bytes: 4}": Corrupt(4),
    "drop: {}": Drop(),
}


def compiled(text: str) -> tuple[Fault, ...]:
    return only(listener(f"faults: [{text}]\nrules: [{{do: [send: x]}}]")).faults


@pytest.mark.parametrize("text, effect", EFFECTS.items())
def test_fault_compiles_to_its_effect(text: str, effect: Effect) -> None:
    assert compiled(f"{{{text}}}") == (Fault("faults[0]", 600, effect, sequence_cell=700),)


def test_fault_compiles_with_its_conditions() -> None:
    when = "probability: 0.5, target: CONNECTION, skip: 1, times: 2, every: 3"
    assert compiled(f"drop, {{name: it, {when}, drop: {{}}}}")[1] == Fault(
        "it",
        601,
        Drop(),
        probability=0.5,
        per_connection=True,
        scope=CountedFor.CONNECTION,
        skip=1,
        times=2,
        every=3,
        sequence_cell=702,
    )


@pytest.mark.parametrize(
    "text, scope",
    {
        "target: REPLY": CountedFor.LISTENER,
        "target: CONNECTION": CountedFor.CONNECTION,
        "scope: CONNECTION": CountedFor.CONNECTION,
        "target: CONNECTION, scope: LISTENER": CountedFor.LISTENER,
        "target: CONNECTION, scope: PEER": CountedFor.PEER,
    }.items(),
)
def test_fault_that_does_not_say_is_counted_for_its_target(text: str, scope: CountedFor) -> None:
    (found,) = compiled(f"{{{text}, times: 1, drop: {{}}}}")
    assert found.scope is scope
    assert found.per_connection is ("target: CONNECTION" in text)


def test_fault_with_probability_0_is_not_compiled() -> None:
    assert compiled("{probability: 0, drop: {}}, hang") == (Fault("faults[1]", 601, Hang(0), sequence_cell=702),)


def test_listener_with_faults_precomputes_no_reply() -> None:
    rules = "rules: [{do: [send: x]}]"
    for text, faulted in {
        rules: False,
        f"faults: [drop]\n{rules}": True,
        f"faults: [{{probability: 0, drop: {{}}}}]\n{rules}": False,
    }.items():
        found = only(listener(text)).on_request.selector_for("").look_up
        assert found is not None
        chosen = found(b"")
        assert chosen is not None
        assert (chosen.reply is None) is faulted


def test_compile_of_empty_fault_is_rejected() -> None:
    with pytest.raises(ValueError, match="a fault says nothing"):
        compile_fault(v1.Fault(), "it", 0, 0)


def test_fault_from_peer_compiles_to_a_rate_of_reading() -> None:
    plan = only(
        listener(
            "faults: [{direction: FROM_PEER, target: CONNECTION, times: 2, bandwidth: {bytes_per_second: 9}}, drop]"
        )
    )
    assert [each.name for each in plan.faults] == ["faults[1]"]
    (slow,) = plan.faults_from_peer
    assert (slow.read_rate, slow.times, slow.per_connection, slow.sequence_cell) == (9, 2, False, 700)
    assert slow.scope is CountedFor.LISTENER


def test_only_the_rules_that_faults_concern_are_marked() -> None:
    plan = only(
        listener(
            "rules: [{name: a, when: a, do: [send: a]}, {do: [send: b]}]\n"
            "faults: [{rules: [a], drop: {}}, {direction: FROM_PEER, bandwidth: {bytes_per_second: 1}}]"
        )
    )
    assert [each.has_faults for each in plan.on_request.in_order] == [True, False]
    assert [each.reply is None for each in plan.on_request.in_order] == [True, False]
    assert plan.faults[0].rules == {"a"}


HANDSHAKES = {
    "tls: stall": Tls(Point.CLIENT_HELLO, Ending.STALL),
    "tls: {reset: {}, after: SERVER_HELLO}": Tls(Point.SERVER_HELLO, Ending.RESET),
    "tls: {truncate: {}, after: FINISHED}": Tls(Point.FINISHED, Ending.CLOSE),
    "tls: {alert: UNKNOWN_CA, after: CLIENT_HELLO}": Tls(Point.CLIENT_HELLO, Ending.CLOSE, alert(48)),
    "tls: plain_text": Tls(Point.CLIENT_HELLO, Ending.CLOSE, PLAIN_TEXT),
}


@pytest.mark.parametrize("text, end", HANDSHAKES.items())
def test_fault_of_tls_compiles_to_the_end_of_a_handshake(text: str, end: Tls) -> None:
    peers = ("target: CONNECTION, times: 2, scope: PEER, ", 2, CountedFor.PEER)
    for conditions, times, scope in (("", 0, CountedFor.LISTENER), peers):
        plan = only(listener(f"tls: {{cert: a.crt, key: a.key}}\nfaults: [drop, {{{conditions}{text}}}]"))
        expected = Fault("faults[1]", 601, end, sequence_cell=702, handshake=end, times=times, scope=scope)
        assert plan.handshake_faults == (expected,)
        assert [fault.name for fault in plan.faults] == ["faults[0]"]
        assert plan.counts_peers is bool(conditions)


def test_fault_of_tls_that_says_nothing_cannot_be_compiled() -> None:
    with pytest.raises(ValueError, match="a fault of TLS says nothing"):
        compile_fault(v1.Fault(tls=v1.Fault.Tls()), "it", 1, 1)
