"""The session and a plain model of the language give the same results for any configuration and conversation."""

from hypothesis import given
from hypothesis import strategies as st

from answerback.core.session.reader import READ_AHEAD
from answerback.v1 import config_pb2 as v1
from tests.core.framing.cutting import CUTS, byte_by_byte, in_pieces
from tests.core.model import strategies
from tests.core.model.conversation import Model
from tests.core.model.heard import Happening
from tests.core.model.matching import Counts
from tests.core.model.playing import UNTIL, played
from tests.core.playbook import Playbook, Somewhere, connected, drain, eof
from tests.language.compiling import compiled, only
from tests.language.strategies import configs, few

FRAMINGS = {
    "however it is cut": strategies.whole_framings,
    "by time, too": strategies.whole_framings | strategies.timed_framings,
}


@given(st.data(), st.sampled_from(sorted(FRAMINGS)))
def test_session_agrees_with_plain_model_of_the_language(data: st.DataObject, kind: str) -> None:
    config = strategies.read(data.draw(strategies.listeners(FRAMINGS[kind])))
    plan, (listener,) = only(config), config.listeners
    shared, connection = Counts(), Somewhere()
    talks = st.tuples(strategies.talks(), st.sampled_from(["192.0.2.1", "192.0.2.2"]))
    for talk, peer in data.draw(st.lists(talks, min_size=1, max_size=3)):  # one connection after another
        connection.peer = (peer, 40000)
        assert played(plan, talk, connection) == Model(listener, talk, UNTIL, shared, peer).run()


@given(strategies.listeners(strategies.whole_framings), strategies.streams, CUTS, st.sampled_from([1, 51, 3001]))
def test_session_of_any_listener_answers_alike_however_the_stream_is_cut(
    listener: strategies.Language, stream: bytes, cuts: list[int], left: int
) -> None:
    """What is said, when, and how often what happened: the same, however the stream was cut."""
    plan = only(strategies.read(listener))

    def heard(pieces: list[bytes]) -> object:
        return played(plan, [*(Happening(1, piece) for piece in pieces), Happening(left, "eof")], Somewhere())

    whole = heard(in_pieces(stream, []))
    assert heard(in_pieces(stream, cuts)) == whole
    assert heard(byte_by_byte(stream)) == whole


@few
@given(configs(), strategies.talks())
def test_session_never_raises_for_any_configuration_and_talk(config: v1.Config, talk: list[Happening]) -> None:
    for plan in compiled(config).listeners.values():
        book = (Playbook(plan, room=1 << 20) >> connected).unheard()
        for at, what in talk:
            if not book.session.over:
                book >> (what if isinstance(what, bytes) else {"eof": eof, "drain": drain}[what])
                book.unheard()
            for _ in range(10):
                if not book.session.over and book.session.deadline <= 1000 + at:
                    book.now = max(book.now, book.session.deadline)
                    book.session.handle_timer(book.now)


@given(strategies.listeners(strategies.whole_framings), st.sampled_from(strategies.PARTS), st.integers(1, 40_000))
def test_session_buffer_is_bounded_by_a_request_and_read_ahead(
    listener: strategies.Language, part: bytes, size: int
) -> None:
    listener["limits"] = {"max_request_bytes": 50_000}
    book = (Playbook(only(strategies.read(listener))) >> connected).unheard()
    piece = (part * size)[:size]
    for _ in range(10):
        if book.session.over or not book.session.wants_read:
            break
        book >> piece
        book.unheard()
        assert len(book.session.conversation.buffer) <= 50_000 + READ_AHEAD + size
