"""The conversation on one connection.

session     Session: what a driver calls, the request loop, and the timers
reader      the received bytes, and the framing that splits them into requests
script      the steps of a rule, and what is left of them while they wait
ticking     the clocks of rules on TICK
closing     FIN, lingering, reset
slow_reader passes input on at the rate of a slow line
observer    what another part of the program may be told of a conversation
"""

from answerback.core.session.observer import Observer
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader

__all__ = ["Observer", "Session", "SlowReader"]
