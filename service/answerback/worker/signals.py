"""What scripts do with signals, as a message to the supervisor."""

from collections.abc import Sequence

from answerback.internal.v1.link_pb2 import Event, SignalAct, SignalGift, SignalNews, SignalWait
from answerback.net.signals import Act, GaveUp, Given, Returned, Taken, Waits


def news(acts: Sequence[Act]) -> Event:
    """Return the message that reports these acts."""
    return Event(signal_news=SignalNews(acts=map(_told, acts)))


def _told(act: Act) -> SignalAct:
    match act:
        case Waits(wait, signal):
            return SignalAct(wait=SignalWait(wait=wait, signal=signal))
        case GaveUp(wait):
            return SignalAct(gave_up=wait)
        case Taken(wait):
            return SignalAct(taken=wait)
        case Returned(wait):
            return SignalAct(returned=wait)
        case Given(signal, count):
            return SignalAct(gift=SignalGift(signal=signal, count=count))
