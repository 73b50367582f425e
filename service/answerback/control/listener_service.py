"""answerback.v1.ListenerService."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypedDict

from grpc import aio

from answerback.control.requests import check_comment, page
from answerback.language.editing import NoSuchListener, created, deleted, index_of, updated
from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor import Change, Edit, Supervisor
from answerback.v1 import config_pb2 as v1
from answerback.v1 import listener_service_pb2 as pb
from answerback.v1.listener_service_pb2_grpc import ListenerServiceServicer

MISSING: Final = Problem("listener", "missing in the request")

Context = aio.ServicerContext[Any, Any]
ChangingRequest = pb.CreateListenerRequest | pb.UpdateListenerRequest | pb.DeleteListenerRequest


class Made(TypedDict):
    """The fields of a response to a change."""

    revision: int
    etag: str
    changed: bool
    workers: int


@dataclass(frozen=True, slots=True)
class Creation:
    """Adds a listener."""

    listener: v1.Listener

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises ListenerExists."""
        return created(config, self.listener)


@dataclass(frozen=True, slots=True)
class Update:
    """Replaces fields of a listener."""

    listener: v1.Listener
    mask: Sequence[str]
    allow_missing: bool

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises NoSuchListener, BadMask."""
        return updated(config, self.listener, self.mask, allow_missing=self.allow_missing)


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes a listener."""

    name: str
    allow_missing: bool

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises NoSuchListener."""
        return deleted(config, self.name, allow_missing=self.allow_missing)


@dataclass(frozen=True, slots=True)
class RecordedEdit:
    """Keeps the result of an edit, in which its problems are located."""

    edit: Edit
    result: v1.Config = field(default_factory=v1.Config)

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises what the edit raises."""
        self.result.CopyFrom(self.edit.apply(config))
        return self.result


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
        change = await self._edit(request, request.listener.name, Creation(request.listener))
        listener = _found(change.revision.config, request.listener.name)
        return pb.CreateListenerResponse(listener=listener, **_made(change))

    async def UpdateListener(self, request: pb.UpdateListenerRequest, context: Context) -> pb.UpdateListenerResponse:
        """Replace fields of a listener; the others keep their value at the time of the change."""
        _check(request)
        update = Update(request.listener, request.update_mask.paths, request.allow_missing)
        change = await self._edit(request, request.listener.name, update)
        listener = _found(change.revision.config, request.listener.name)
        return pb.UpdateListenerResponse(listener=listener, **_made(change))

    async def DeleteListener(self, request: pb.DeleteListenerRequest, context: Context) -> pb.DeleteListenerResponse:
        """Delete a listener."""
        change = await self._edit(request, request.name, Deletion(request.name, request.allow_missing))
        return pb.DeleteListenerResponse(**_made(change))

    async def _edit(self, request: ChangingRequest, name: str, edit: Edit) -> Change:
        """Apply the change; problems of the listener are reported by their path in the request."""
        check_comment(request.comment)
        recorded = RecordedEdit(edit)
        try:
            return await self._supervisor.edit(
                recorded, etag=request.etag, comment=request.comment, validate_only=request.validate_only
            )
        except InvalidConfig as error:
            index = index_of(recorded.result, name)
            place = re.compile(rf"listeners\[{index}\](?=\.|$)")
            problems = [replace(each, path=place.sub("listener", each.path)) for each in error.problems]
            raise InvalidConfig(problems) from None


def _check(request: pb.CreateListenerRequest | pb.UpdateListenerRequest) -> None:
    if not request.HasField("listener"):
        raise InvalidConfig([MISSING])


def _found(config: v1.Config, name: str) -> v1.Listener:
    index = index_of(config, name)
    if index is None:
        raise NoSuchListener(name)
    return config.listeners[index]


def _made(change: Change) -> Made:
    revision = change.revision
    return Made(revision=revision.number, etag=revision.etag, changed=change.changed, workers=change.workers)
