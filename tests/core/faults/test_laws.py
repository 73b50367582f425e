"""Properties of faults for any listener: splitting has no effect, nor has a fault that never applies."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from answerback.v1 import config_pb2 as v1
from tests.core.framing.cutting import CUTS, byte_by_byte, in_pieces
from tests.core.model import strategies
from tests.core.model.heard import Happening
from tests.core.model.playing import played
from tests.core.playbook import Somewhere
from tests.language.compiling import only
from tests.language.strategies import faults

listeners = strategies.listeners(strategies.whole_framings).map(strategies.read)
small = st.integers(0, 4)


@st.composite
def short_faults(draw: st.DrawFn) -> v1.Fault:
    """Those that are seen in a short conversation."""
    fault = draw(faults())
    fault.skip, fault.times, fault.every = draw(small), draw(small), draw(small)
    if fault.WhichOneof("kind") == "truncate":
        fault.truncate.bytes = draw(small)
    elif fault.WhichOneof("kind") == "slice":
        fault.slice.CopyFrom(v1.Fault.Slice(size=3, variation=2))
    return fault


def with_faults(config: v1.Config, given: list[v1.Fault]) -> v1.Config:
    changed = v1.Config()
    changed.CopyFrom(config)
    changed.listeners[0].faults.extend(given)
    return changed


@given(
    listeners,
    st.lists(short_faults(), min_size=1, max_size=4),
    strategies.streams,
    CUTS,
    st.sampled_from([1, 51, 3001]),
)
def test_faults_on_any_listener_strike_alike_however_the_stream_is_cut(
    config: v1.Config, given: list[v1.Fault], stream: bytes, cuts: list[int], left: int
) -> None:
    plan = only(with_faults(config, given))

    def heard(pieces: list[bytes]) -> object:
        talk = [*(Happening(1, piece) for piece in pieces), Happening(left, "eof")]
        connection = Somewhere(chance=Random(3))
        return (
            played(plan, talk, connection),
            connection.counters.counts,
            connection.peer_counters.counts,
            connection.chance.getstate(),
        )

    whole = heard(in_pieces(stream, []))
    assert heard(in_pieces(stream, cuts)) == whole
    assert heard(byte_by_byte(stream)) == whole


@given(listeners, st.lists(faults(), min_size=1, max_size=3), strategies.talks())
def test_faults_that_skip_every_reply_change_nothing(
    config: v1.Config, given: list[v1.Fault], talk: list[Happening]
) -> None:
    for fault in given:
        fault.skip, fault.every = 1 << 60, 0
    assert played(only(with_faults(config, given)), talk, Somewhere()) == played(only(config), talk, Somewhere())


@given(listeners, st.lists(faults(), min_size=1, max_size=3), strategies.talks())
def test_faults_with_probability_0_change_and_draw_nothing(
    config: v1.Config, given: list[v1.Fault], talk: list[Happening]
) -> None:
    for fault in given:
        fault.probability = 0
    spared, plain = Somewhere(), Somewhere()
    assert played(only(with_faults(config, given)), talk, spared) == played(only(config), talk, plain)
    assert spared.counters.counts == plain.counters.counts
    assert spared.chance.getstate() == plain.chance.getstate()
