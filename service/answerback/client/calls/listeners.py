"""The calls of ListenerService."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from answerback.client import values
from answerback.client.errors import ConfigRejected, rejected
from answerback.client.faces import Caller, call
from answerback.document.values import fill
from answerback.language.problems import Problem
from answerback.v1 import config_pb2, listener_service_pb2


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
            listener=_listener(listener), etag=etag, comment=comment, validate_only=validate_only
        )
        return await self._changed(request)

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
            listener=_listener(listener),
            update_mask=FieldMask(paths=fields),
            allow_missing=allow_missing,
            etag=etag,
            comment=comment,
            validate_only=validate_only,
        )
        return await self._changed(request)

    @call
    async def delete_listener(
        self, name: str, *, allow_missing: bool = False, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.Change:
        """Delete a listener; each of its connections is closed after its current reply. Raises NotFound."""
        request = listener_service_pb2.DeleteListenerRequest(
            name=name, allow_missing=allow_missing, etag=etag, comment=comment, validate_only=validate_only
        )
        return await self._value(values.Change, request)

    async def _changed(self, request: Any) -> values.ListenerChange:
        """Change a listener; name the fields of problems as in the mapping that was given."""
        try:
            return await self._value(values.ListenerChange, request)
        except ConfigRejected as error:
            problems = list(error.problems)
            if error.total > len(problems):
                problems.append(Problem("", f"{error.total - len(problems)} more problems are not listed"))
            raise rejected([_of_listener(each) for each in problems]) from None


def _listener(value: Mapping[str, Any]) -> config_pb2.Listener:
    listener = config_pb2.Listener()
    problems = fill(listener, value)
    if problems:
        raise rejected(problems)
    return listener


def _of_listener(problem: Problem) -> Problem:
    """A problem with its path from the listener on; those of other listeners have theirs from the configuration on."""
    if problem.path != "listener" and not problem.path.startswith("listener."):
        return problem
    return Problem(problem.path.removeprefix("listener").removeprefix("."), problem.message)
