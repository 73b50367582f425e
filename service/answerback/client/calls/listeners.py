"""The calls of ListenerService."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from answerback.client import values
from answerback.client.calls.durations import Seconds, duration
from answerback.client.errors import ConfigRejected, rejected
from answerback.client.faces import Caller, call
from answerback.document.values import fill
from answerback.language.problems import Problem
from answerback.v1 import config_pb2, listener_service_pb2

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class ListenerCalls(Caller):
    """Single listeners of the active configuration."""

    @call
    async def list_listeners(self) -> list[dict[str, Any]]:
        """List the listeners of the active configuration by name, each as in YAML."""
        return await self._pages(listener_service_pb2.ListListenersRequest(), "listeners")

    @call
    async def get_listener(self, name: str) -> values.Listener:
        """Get one listener. Raises NotFound."""
        return await self._value(values.Listener, listener_service_pb2.GetListenerRequest(name=name))

    @call
    async def create_listener(
        self, listener: Mapping[str, Any], *, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.ListenerChange:
        """Add a listener. Raises AlreadyExists, ConfigRejected."""
        request = listener_service_pb2.CreateListenerRequest(
            listener=_part(config_pb2.Listener(), listener), etag=etag, comment=comment, validate_only=validate_only
        )
        return await self._changed(values.ListenerChange, request, "listener")

    @call
    async def update_listener(
        self,
        listener: Mapping[str, Any],
        *,
        fields: Sequence[str] = (),
        allow_missing: bool = False,
        etag: str = "",
        comment: str = "",
        validate_only: bool = False,
    ) -> values.ListenerChange:
        """Change the listener of the same name: the fields that are given, each as a whole.

        `fields`: change only these (`rules`, `limits.idle_timeout`), and clear those that are not given; `["*"]`: all.
        `allow_missing`: create the listener if it does not exist. Raises NotFound, ConfigRejected.
        """
        request = listener_service_pb2.UpdateListenerRequest(
            listener=_part(config_pb2.Listener(), listener),
            update_mask=FieldMask(paths=fields),
            allow_missing=allow_missing,
            etag=etag,
            comment=comment,
            validate_only=validate_only,
        )
        return await self._changed(values.ListenerChange, request, "listener")

    @call
    async def delete_listener(
        self, name: str, *, allow_missing: bool = False, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.Change:
        """Delete a listener; each of its connections is closed after its current reply. Raises NotFound."""
        request = listener_service_pb2.DeleteListenerRequest(
            name=name, allow_missing=allow_missing, etag=etag, comment=comment, validate_only=validate_only
        )
        return await self._value(values.Change, request)

    @call
    async def add_fault(
        self,
        listener: str,
        fault: Mapping[str, Any] | str,
        *,
        ttl: Seconds | None = None,
        replace: bool = False,
        etag: str = "",
        comment: str = "",
        validate_only: bool = False,
    ) -> values.FaultChange:
        """Add a fault to a listener, after its other faults: `{"latency": "200ms"}`, or `"drop"`.

        `ttl`: the server removes it after this time. `replace`: replace the fault of the same name. Without a name, it
        gets one, which the result has. Raises NotFound, AlreadyExists, ConfigRejected.
        """
        request = listener_service_pb2.AddFaultRequest(
            listener=listener,
            fault=_part(config_pb2.Fault(), fault),
            replace=replace,
            etag=etag,
            comment=comment,
            validate_only=validate_only,
        )
        if ttl is not None:
            request.ttl.CopyFrom(duration(ttl))
        return await self._changed(values.FaultChange, request, "fault")

    @call
    async def remove_fault(
        self,
        listener: str,
        fault: str,
        *,
        allow_missing: bool = False,
        etag: str = "",
        comment: str = "",
        validate_only: bool = False,
    ) -> values.Change:
        """Remove a fault from a listener; `fault`: its name, or `faults[N]` if it has none. Raises NotFound."""
        request = listener_service_pb2.RemoveFaultRequest(
            listener=listener,
            fault=fault,
            allow_missing=allow_missing,
            etag=etag,
            comment=comment,
            validate_only=validate_only,
        )
        return await self._value(values.Change, request)

    async def _changed(self, cls: type[T], request: Any, part: str) -> T:
        """Change a listener or a fault; name the fields of problems as in the mapping that was given."""
        try:
            return await self._value(cls, request)
        except ConfigRejected as error:
            problems = list(error.problems)
            if error.total > len(problems):
                problems.append(Problem("", f"{error.total - len(problems)} more problems are not listed"))
            raise rejected([_of_part(each, part) for each in problems]) from None


def _part(message: M, value: object) -> M:
    """Fill a part of a configuration with a value. Raises ConfigRejected."""
    problems = fill(message, value)
    if problems:
        raise rejected(problems)
    return message


def _of_part(problem: Problem, part: str) -> Problem:
    """A problem with its path from the part on; those of other parts have theirs from the configuration on."""
    if problem.path != part and not problem.path.startswith(f"{part}."):
        return problem
    return Problem(problem.path.removeprefix(part).removeprefix("."), problem.message)
