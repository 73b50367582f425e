"""The open connections of a worker, described and closed one by one."""

from heapq import nsmallest
from operator import attrgetter
from time import monotonic

from answerback.core.actions import CloseReason
from answerback.internal.v1 import link_pb2 as pb
from answerback.net.listeners import Listeners
from answerback.net.served import Served


def described(listeners: Listeners, command: pb.ListConnections) -> pb.ConnectionList:
    """Describe the connections that are asked for, by their numbers."""
    chosen = (each for each in _chosen(listeners, command.chosen) if each.connection_number > command.after)
    first = nsmallest(command.limit, chosen, key=attrgetter("connection_number"))
    return pb.ConnectionList(connections=map(_described, first))


def close(listeners: Listeners, command: pb.CloseChosen) -> int:
    """Close connections in order, or reset them; return how many."""
    chosen = _chosen(listeners, command.chosen)
    for connection in chosen:
        if command.reset:
            connection.abort(CloseReason.ABORTED)
        elif command.at_once:
            connection.close_in_order()
        else:
            connection.drain()
    return len(chosen)


def _chosen(listeners: Listeners, chosen: pb.Chosen) -> list[Served]:
    numbers = frozenset(chosen.numbers)
    return [
        each
        for each in listeners.connections()
        if (not chosen.listener or each.host.name == chosen.listener)
        and (not numbers or each.connection_number in numbers)
        and (not chosen.host or _is_peer(each.peer, chosen))
    ]


def _is_peer(peer: tuple[str, int], chosen: pb.Chosen) -> bool:
    host, port = peer
    return host.partition("%")[0] == chosen.host and chosen.port in (0, port)


def _described(connection: Served) -> pb.Connection:
    host, port = connection.peer
    return pb.Connection(
        number=connection.connection_number,
        listener=connection.host.name,
        host=host.partition("%")[0],
        port=port,
        age_seconds=monotonic() - connection.born,
        received_bytes=connection.received_bytes,
        sent_bytes=connection.sent_bytes,
        requests=connection.requests,
        phase=connection.state,
        waits_for=connection.waits_for,
        rule_state=connection.rule_state,
    )
