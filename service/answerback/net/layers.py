"""The layers between a driver and its session, each with the face of a session, from the wire inwards.

HeaderReader   reads the PROXY header, then steps aside
TlsLayer       decrypts input, and encrypts output
SlowReader     passes input on at the rate of a fault
Session        the conversation
"""

from time import monotonic
from typing import TYPE_CHECKING

from answerback.core.plan import ActivePlan
from answerback.core.session import HeaderReader, Session, SlowReader, TlsLayer

if TYPE_CHECKING:
    from answerback.net.connection import Connection

# Rule: a layer that a listener does not need is not made.

Inner = Session | SlowReader | TlsLayer
Layer = Inner | HeaderReader


def layers_of(connection: "Connection") -> Layer:
    """Return the outermost layer of a connection that was just accepted."""
    host = connection.host
    plan = host.active.plan
    session = Session(host.active, host.counters, monotonic(), connection)
    session.recorder = host.journal
    settings = plan.proxy_protocol
    if settings is None and plan.tls is not None and not plan.faults_from_peer:  # without another call
        return TlsLayer(session, plan.tls)
    inner = inner_layers(session, host.active)
    if settings is None:
        return inner
    return HeaderReader(session, inner, settings, connection, trusted=settings.trusts(connection.peer[0]))


def inner_layers(session: Session, active: ActivePlan) -> Inner:
    """Return the outermost layer of a connection whose client is known."""
    plan = active.plan
    inner = SlowReader(session, active) if plan.faults_from_peer else session
    return TlsLayer(inner, plan.tls) if plan.tls is not None else inner
