"""answerback.v1.ListenerService."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypedDict

from grpc import aio

from answerback.control.requests import check_comment, page
from answerback.language.editing import NoSuchListener, created, deleted, index_of, updated
from answerback.language.problems import Problem, Refused
from answerback.supervisor import Change, Supervisor
from answerback.v1 import config_pb2 as v1
from answerback.v1 import listener_service_pb2 as pb
from answerback.v1.listener_service_pb2_grpc import ListenerServiceServicer

MISSING: Final = Problem("listener", "missing in the request")

Context = aio.ServicerContext[Any, Any]
Asked = pb.CreateListenerRequest | pb.UpdateListenerRequest | pb.DeleteListenerRequest


class Made(TypedDict):
    """The fields of a response to a change."""

    revision: int
    etag: str
    changed: bool
    workers: int


class ListenerService(ListenerServiceServicer):
    """Reads and changes single listeners of the active configuration."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def ListListeners(self, request: pb.ListListenersRequest, context: Context) -> pb.ListListenersResponse:
        """Return a page of listeners, by name."""
        current = self._supervisor.current
        listeners, following = page(
            current.config.listeners, lambda each: each.name, request.page_size, request.page_token
        )
        return pb.ListListenersResponse(
            listeners=listeners, next_page_token=following, revision=current.number, etag=current.etag
        )

    async def GetListener(self, request: pb.GetListenerRequest, context: Context) -> pb.GetListenerResponse:
        """Return one listener, as it was given."""
        current = self._supervisor.current
        listener = _found(current.config, request.name)
        return pb.GetListenerResponse(listener=listener, revision=current.number, etag=current.etag)

    async def CreateListener(self, request: pb.CreateListenerRequest, context: Context) -> pb.CreateListenerResponse:
        """Add a listener."""
        _check(request)
        change = await self._edit(request, request.listener.name, lambda config: created(config, request.listener))
        listener = _found(change.revision.config, request.listener.name)
        return pb.CreateListenerResponse(listener=listener, **_made(change))

    async def UpdateListener(self, request: pb.UpdateListenerRequest, context: Context) -> pb.UpdateListenerResponse:
        """Replace fields of a listener; the others keep their value at the time of the change."""
        _check(request)
        asked, mask = request.listener, request.update_mask.paths
        change = await self._edit(
            request, asked.name, lambda config: updated(config, asked, mask, allow_missing=request.allow_missing)
        )
        listener = _found(change.revision.config, asked.name)
        return pb.UpdateListenerResponse(listener=listener, **_made(change))

    async def DeleteListener(self, request: pb.DeleteListenerRequest, context: Context) -> pb.DeleteListenerResponse:
        """Delete a listener."""
        change = await self._edit(
            request, request.name, lambda config: deleted(config, request.name, allow_missing=request.allow_missing)
        )
        return pb.DeleteListenerResponse(**_made(change))

    async def _edit(self, request: Asked, name: str, edit: Callable[[v1.Config], v1.Config]) -> Change:
        """Apply the change; problems of the listener are reported by their path in the request."""
        check_comment(request.comment)
        asked = v1.Config()

        def edited(config: v1.Config) -> v1.Config:
            asked.CopyFrom(edit(config))
            return asked

        try:
            return await self._supervisor.edit(
                edited, etag=request.etag, comment=request.comment, validate_only=request.validate_only
            )
        except Refused as refused:
            index = index_of(asked, name)
            place = re.compile(rf"listeners\[{index}\](?=\.|$)")
            raise Refused([replace(each, path=place.sub("listener", each.path)) for each in refused.problems]) from None


def _check(request: pb.CreateListenerRequest | pb.UpdateListenerRequest) -> None:
    if not request.HasField("listener"):
        raise Refused([MISSING])


def _found(config: v1.Config, name: str) -> v1.Listener:
    index = index_of(config, name)
    if index is None:
        raise NoSuchListener(name)
    return config.listeners[index]


def _made(change: Change) -> Made:
    revision = change.revision
    return Made(revision=revision.number, etag=revision.etag, changed=change.changed, workers=change.workers)
