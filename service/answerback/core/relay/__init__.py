"""Relaying to an upstream, without a network: `relay` decides, and a driver in `net.relay` carries it out.

relay         all bytes pass
sides         the client's side and the upstream's
acts          what it decides
flow          one direction of it, with faults, which hold `pieces`
intermediary  a session with rules answers, or forwards requests
framed        the session also sees the upstream's replies
joining       its actions become few
ending        how its conversation ends
"""

from answerback.core.relay.acts import Act, Connect, Finish, Pass
from answerback.core.relay.framed import FramedIntermediary
from answerback.core.relay.intermediary import Intermediary
from answerback.core.relay.relay import Relay
from answerback.core.relay.sides import PEER, UPSTREAM

__all__ = ["PEER", "UPSTREAM", "Act", "Connect", "Finish", "FramedIntermediary", "Intermediary", "Pass", "Relay"]
