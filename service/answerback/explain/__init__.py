"""What a configuration does with what a peer says, and why: the real session, on a clock of its own, without a network.

A newcomer's map:

    play            the stage: the clock, and the peer
    surroundings    what the session asks about its connection and its listener
    plans           a listener's plan, compiled as a worker compiles it
    observed        the session and its rules, watched: which rule matches, why none before it, which steps are taken
    events          what comes of it: a transcript
"""

# Rule: what is explained is what is served: nothing here makes decisions; it observes `answerback.core`.

from answerback.explain.events import Event, Transcript
from answerback.explain.play import Moment, explain

__all__ = ["Event", "Moment", "Transcript", "explain"]
