"""The memory of a pattern's automaton while it is fed."""

from random import Random

from answerback.core.framing.automaton import Automaton
from answerback.core.framing.incremental import ParseState

ENDS_LATE = "(?s)[ab]*a[ab]{8}c"  # has hundreds of states, one for each set of places where an "a" may have been


def parsed(automaton: Automaton, stream: bytes) -> tuple[int, list[int]]:
    """Where a request ends, fed byte by byte; and how many states were kept after each."""
    state, kept, end = ParseState(), [], 0
    for size in range(1, len(stream) + 1):
        end = automaton.parse(stream[:size], 0, state)
        kept.append(len(automaton._states))
        if end:
            break
    return end, kept


def test_automaton_discards_states_beyond_its_maximum() -> None:
    chance = Random(1)
    stream = bytes(chance.choices(b"ab", k=400)) + b"a" + b"b" * 8 + b"c"
    unbounded, bounded = Automaton(ENDS_LATE), Automaton(ENDS_LATE)
    bounded._most = bounded._left = 20
    end, kept = parsed(bounded, stream)
    assert end == parsed(unbounded, stream)[0] == len(stream)
    assert len(unbounded._states) > 100
    assert max(kept) <= 22
