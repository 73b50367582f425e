"""The two sides of a relayed connection, and what holds of each."""

from typing import Final

PEER: Final = 0
UPSTREAM: Final = 1

Both = tuple[bool, bool]
"""Something of the client's side, and of the upstream's."""

# One object of each for all connections, where lists would be a tenth of what an idle connection takes.
PAIRS: Final[tuple[tuple[Both, Both], tuple[Both, Both]]] = (
    ((False, False), (False, True)),
    ((True, False), (True, True)),
)
NEITHER: Final = PAIRS[False][False]


def marked(pair: Both, side: int, value: bool = True) -> Both:
    """Return the pair with another value for one side."""
    return PAIRS[value][pair[UPSTREAM]] if side == PEER else PAIRS[pair[PEER]][value]
