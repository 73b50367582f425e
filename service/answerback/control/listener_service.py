"""answerback.v1.ListenerService."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypedDict

from grpc import aio

from answerback.control.errors import BadArgument
from answerback.control.requests import check_comment, page
from answerback.language import bounds, durations
from answerback.language.editing import NoSuchListener, created, deleted, index_of, updated
from answerback.language.fault_editing import fault_added, fault_removed
from answerback.language.problems import InvalidConfig, Problem, Problems
from answerback.language.redaction import redacted_listener
from answerback.supervisor import Change, Edit, Supervisor
from answerback.v1 import config_pb2 as v1
from answerback.v1 import listener_service_pb2 as pb
from answerback.v1.listener_service_pb2_grpc import ListenerServiceServicer

MISSING: Final = Problem("listener", "missing in the request")

Context = aio.ServicerContext[Any, Any]
ChangingRequest = (
    pb.CreateListenerRequest
    | pb.UpdateListenerRequest
    | pb.DeleteListenerRequest
    | pb.AddFaultRequest
    | pb.RemoveFaultRequest
)


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


@dataclass(slots=True)
class FaultAddition:
    """Adds a fault, whose time begins when it is added."""

    listener: str
    fault: v1.Fault
    ttl_nanoseconds: int
    replace: bool
    added: v1.Fault = field(default_factory=v1.Fault)
    """The fault as it was added."""
    path: str = ""
    """Its path in the configuration."""

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises NoSuchListener, FaultExists."""
        fault = v1.Fault()
        fault.CopyFrom(self.fault)
        if self.ttl_nanoseconds:
            fault.expire_time.FromNanoseconds(time.time_ns() + self.ttl_nanoseconds)
        changed, at = fault_added(config, self.listener, fault, replace=self.replace)
        index = index_of(changed, self.listener)
        assert index is not None
        self.added.CopyFrom(changed.listeners[index].faults[at])
        self.path = f"listeners[{index}].faults[{at}]"
        return changed


@dataclass(frozen=True, slots=True)
class FaultRemoval:
    """Removes a fault."""

    listener: str
    fault: str
    allow_missing: bool

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises NoSuchListener, NoSuchFault."""
        return fault_removed(config, self.listener, self.fault, allow_missing=self.allow_missing)


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
            listeners=map(redacted_listener, listeners),
            next_page_token=following,
            revision=current.number,
            etag=current.etag,
        )

    async def GetListener(self, request: pb.GetListenerRequest, context: Context) -> pb.GetListenerResponse:
        """Return one listener, as it was given, but for private keys."""
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

    async def AddFault(self, request: pb.AddFaultRequest, context: Context) -> pb.AddFaultResponse:
        """Add a fault to a listener."""
        if not request.HasField("fault"):
            raise BadArgument("fault", "missing in the request")
        addition = FaultAddition(request.listener, request.fault, _ttl(request), request.replace)
        try:
            change = await self._apply(request, addition)
        except InvalidConfig as error:
            raise _relative(error, addition.path, "fault") from None
        return pb.AddFaultResponse(fault=addition.added, **_made(change))

    async def RemoveFault(self, request: pb.RemoveFaultRequest, context: Context) -> pb.RemoveFaultResponse:
        """Remove a fault from a listener."""
        change = await self._apply(request, FaultRemoval(request.listener, request.fault, request.allow_missing))
        return pb.RemoveFaultResponse(**_made(change))

    async def _edit(self, request: ChangingRequest, name: str, edit: Edit) -> Change:
        """Apply the change; problems of the listener are reported by their path in the request."""
        recorded = RecordedEdit(edit)
        try:
            return await self._apply(request, recorded)
        except InvalidConfig as error:
            raise _relative(error, f"listeners[{index_of(recorded.result, name)}]", "listener") from None

    async def _apply(self, request: ChangingRequest, edit: Edit) -> Change:
        check_comment(request.comment)
        return await self._supervisor.edit(
            edit, etag=request.etag, comment=request.comment, validate_only=request.validate_only
        )


def _relative(error: InvalidConfig, place: str, name: str) -> InvalidConfig:
    """Return the error with paths in the request: what is at `place` in the configuration is called `name` there."""
    known = re.compile(rf"{re.escape(place)}(?=\.|$)")
    return InvalidConfig([replace(each, path=known.sub(name, each.path)) for each in error.problems])


def _ttl(request: pb.AddFaultRequest) -> int:
    """Return the time to live in nanoseconds, 0 without one. Raises BadArgument."""
    if not request.HasField("ttl"):
        return 0
    if request.fault.HasField("expire_time"):
        raise BadArgument("ttl", "the fault has an expire_time already: give one of them")
    problems = Problems()
    bounds.duration(request.ttl, bounds.MAX_TIMEOUT, "ttl", problems)
    for problem in problems.found():
        raise BadArgument(problem.path, problem.message)
    if not (ttl := durations.nanoseconds(request.ttl)):
        raise BadArgument("ttl", "must be more than 0: the time after which the fault is removed")
    return ttl


def _check(request: pb.CreateListenerRequest | pb.UpdateListenerRequest) -> None:
    if not request.HasField("listener"):
        raise InvalidConfig([MISSING])


def _found(config: v1.Config, name: str) -> v1.Listener:
    """Return a listener as it is shown. Raises NoSuchListener."""
    index = index_of(config, name)
    if index is None:
        raise NoSuchListener(name)
    return redacted_listener(config.listeners[index])


def _made(change: Change) -> Made:
    revision = change.revision
    return Made(revision=revision.number, etag=revision.etag, changed=change.changed, workers=change.workers)
