"""The session and a plain model of the language: whatever the configuration and the talk, they say the same."""

from hypothesis import given
from hypothesis import strategies as st

from tests.config.compiling import only
from tests.core.framing.cutting import CUTS, byte_by_byte, in_pieces
from tests.core.model import strategies
from tests.core.model.conversation import Model
from tests.core.model.heard import Happening
from tests.core.model.matching import Counts
from tests.core.model.playing import UNTIL, played
from tests.core.playbook import Somewhere

FRAMINGS = {
    "however it is cut": strategies.whole_framings,
    "by time, too": strategies.whole_framings | strategies.timed_framings,
}


@given(st.data(), st.sampled_from(sorted(FRAMINGS)))
def test_a_plain_model_agrees(data: st.DataObject, kind: str) -> None:
    config = strategies.read(data.draw(strategies.listeners(FRAMINGS[kind])))
    plan, (listener,) = only(config), config.listeners
    shared, surroundings = Counts(), Somewhere()
    for talk in data.draw(st.lists(strategies.talks(), min_size=1, max_size=2)):  # one connection after another
        assert played(plan, talk, surroundings) == Model(listener, talk, UNTIL, shared).run()


@given(strategies.listeners(strategies.whole_framings), strategies.streams, CUTS, st.sampled_from([1, 51, 3001]))
def test_cutting_never_matters(listener: strategies.Language, stream: bytes, cuts: list[int], left: int) -> None:
    """What is said, when, and how often what happened: the same, however the stream was cut."""
    plan = only(strategies.read(listener))

    def heard(pieces: list[bytes]) -> object:
        return played(plan, [*(Happening(1, piece) for piece in pieces), Happening(left, "eof")], Somewhere())

    whole = heard([stream])
    assert heard(in_pieces(stream, cuts)) == whole
    assert heard(byte_by_byte(stream)) == whole
