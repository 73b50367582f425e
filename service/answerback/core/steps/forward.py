"""The step `forward`."""

from answerback.core.actions import Send
from answerback.core.context import RequestContext
from answerback.core.steps.base import FORWARD, FORWARD_AND_WAIT, Step


def forward(*, waits: bool = False) -> Step:
    """Pass the request on to the upstream. `waits`: whether steps follow."""
    return FORWARD_AND_WAIT if waits else FORWARD


def pass_reply() -> Step:
    """Pass the upstream's reply on to the client."""
    return _pass_reply


def _pass_reply(context: RequestContext) -> Send:
    return Send(context.received_reply)
