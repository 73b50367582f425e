"""Explains how a configuration responds to given input: the real session, with a virtual clock and no network.

simulate           what is asked for: moments, requests or a talk, played to the end
network            the simulation as the network that a talk is played over
world              the clock, the listener, and its connections
connection         one connection: drives a session, and is its peer
fake_connection    the simulated connection and listener
plans              a listener's plan, compiled as in a worker
observer           what the session reports: which rule matches, why none before it, which steps are taken
events             what a transcript consists of
names              what rules and faults are called there, and why a rule did not match
transcript         the events in order, up to a maximum
"""

# Rule: what is explained is what is served: nothing here makes decisions; it observes `answerback.core`.

from answerback.explain.events import Event
from answerback.explain.simulate import Moment, explain, explain_requests, explain_talk
from answerback.explain.transcript import Transcript

__all__ = ["Event", "Moment", "Transcript", "explain", "explain_requests", "explain_talk"]
