"""What operators see of a conversation."""

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerback.core.session.session import Session
    from answerback.core.session.slow_reader import SlowReader
    from answerback.core.session.tls_layer import TlsLayer


def waits_for(session: "Session | SlowReader | TlsLayer") -> str:
    """Return what has to happen next, as `ConnectionService` names it."""
    script = session.conversation.script
    if session.blocked_since != inf:
        return "client_reads"
    if session.wants_turn:
        return "turn"
    if session.awaits_fin:
        return "fin"
    if script is None:
        return "handshake" if session.handshaking else "reply" if session.owes else "request"
    if script.signal or script.awaits is not None:
        return "signal" if script.signal else "reply"
    return "hang" if script.hang is not None else "timer" if script.receive is None else "frame"
