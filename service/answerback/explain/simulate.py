"""Explanations of conversations: what a peer does is given, as moments, as whole requests, or as a talk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from answerback.explain.network import SimulatedNetwork
from answerback.explain.transcript import Enough, Transcript
from answerback.explain.world import World
from answerback.language.contents import Files
from answerback.talk.player import Player, TalkFailed
from answerback.talk.script import Instruction
from answerback.v1 import config_pb2 as v1

# Rule: the same file and input give the same transcript; only `now` and unseeded random values differ.

PATIENCE_SECONDS: Final = 60.0  # simulated seconds that a talk waits for the next byte


@dataclass(frozen=True, slots=True)
class Moment:
    """An action of the peer, at a time in seconds from the beginning.

    It opens another connection, sends bytes, closes its half, or waits; in this order, if it does several. `peer` is
    the address of the new connection; None for that of the connection before. `reply`: instead, the upstream sends it.
    """

    at: float
    data: bytes = b""
    eof: bool = False
    connect: bool = False
    peer: str | None = None
    reply: bytes = b""


def explain(
    listener: v1.Listener, files: Files, moments: Sequence[Moment], *, peer: str, begun: datetime
) -> Transcript:
    """Simulate a listener's first connections, the first from `peer`, and record what happens and why.

    The configuration is one that `check` found nothing wrong with; `files` has what its `file` fields name. `moments`
    are in order; the first connection begins at 0, which is `begun`. Raises InvalidConfig if it cannot be compiled.

    Without a reply among them, the upstream is not simulated, and nothing waits for its replies.
    """
    world = World(listener, files, peer, begun, has_replies=any(moment.reply for moment in moments))
    try:
        connection = world.connect()
        for moment in moments:
            world.run_until(moment.at)
            if moment.connect:
                connection = world.connect(moment.peer)
            if moment.data:
                connection.send(moment.data)
            if moment.reply:
                connection.reply(moment.reply)
            if moment.eof:
                connection.send_fin()
        world.finish()
    except Enough:
        pass
    return world.transcript


def explain_requests(
    listener: v1.Listener, files: Files, requests: Sequence[bytes], *, peer: str, begun: datetime
) -> Transcript:
    """Simulate a connection that sends these requests, each as rules see it; each follows the reply to the one before.

    A request after a reply that waits for a frame in the middle (`receive`) comes on another connection, because the
    frame is unknown. Raises InvalidConfig.
    """
    world = World(listener, files, peer, begun, whole_requests=True)
    try:
        connection = world.connect()
        for request in requests:
            world.run_until(world.now + PATIENCE_SECONDS, lambda: not world.connections[-1].in_progress)
            if connection.ended or connection.receiving:
                connection = world.connect()
            connection.send(request)
        world.finish()
    except Enough:
        pass
    return world.transcript


def explain_talk(
    listener: v1.Listener, files: Files, talk: Sequence[Instruction], *, peer: str, begun: datetime
) -> tuple[Transcript, TalkFailed | None]:
    """Simulate a talk; return also where it went otherwise than written. Raises InvalidConfig."""
    world = World(listener, files, peer, begun)
    failed: TalkFailed | None = None
    try:
        try:
            Player(SimulatedNetwork(world), PATIENCE_SECONDS).play(talk)
        except TalkFailed as failure:
            failed = failure
        world.finish()
    except Enough:
        pass
    return world.transcript, failed
