"""The calls of the admin API: what each takes, sends and returns. Blocking and asyncio clients share them.

Each method is a coroutine that awaits `self._call(request)`. In the asyncio client it is just that. In the blocking
client `_call` blocks and never suspends, so that one step runs the coroutine to its end.
"""

# Rule: a call has the name of its RPC, in lower case; a test finds every RPC here.
# Rule: arguments and results are plain values; no generated name is part of a signature.

from collections.abc import Mapping, Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from answerback.client import values
from answerback.client.errors import ConfigRejected, OutOfRange, rejected
from answerback.client.faces import Caller, Feed, call, stream
from answerback.client.journal import Condition, Filter, conditions, filter_of
from answerback.client.rpcs import HEALTH_SERVING, HealthRequest
from answerback.document import document
from answerback.document.values import fill
from answerback.language.problems import Problem
from answerback.v1 import (
    config_pb2,
    config_service_pb2,
    connection_service_pb2,
    journal_service_pb2,
    listener_service_pb2,
    operations_service_pb2,
)

Source = Mapping[str, Any] | str | bytes | PathLike[str]
"""A configuration: a mapping as in YAML, the text of a YAML file, or the path of one."""
Seconds = float | timedelta


class Calls(Caller):
    """One method for each RPC. Every method may raise an Error of this package."""

    @call
    async def get_config(self) -> values.Config:
        """Get the active configuration, without shorthand and without default values."""
        return await self._value(values.Config, config_service_pb2.GetConfigRequest())

    @call
    async def update_config(
        self, config: Source, *, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.ConfigChange:
        """Apply a configuration on all workers or none.

        `etag`: only if this is the etag of the active revision; otherwise Aborted. `comment` is stored in the history.
        Raises ConfigRejected with every problem; for a text or a file, each with its line and column.
        """
        read = _read(config)
        if read.problems:
            raise rejected(read.problems)
        request = config_service_pb2.UpdateConfigRequest(
            config=read.config, etag=etag, comment=comment, validate_only=validate_only
        )
        try:
            return await self._value(values.ConfigChange, request)
        except ConfigRejected as error:
            problems = list(error.problems)
            if error.total > len(problems):  # a status has room for some of them
                problems = await self._problems(read.config) or problems
            raise rejected(read.located(problems)) from None

    @call
    async def validate_config(self, config: Source) -> list[Problem]:
        """Return every problem that `update_config` would raise; none if the configuration is valid."""
        read = _read(config)
        return [*read.problems, *read.located(await self._problems(read.config))]

    @stream
    def watch_config(self, *, after: str = "") -> Feed[values.RevisionEvent]:
        """Receive every revision as it becomes active, beginning with the active one.

        `after`: begin after the revision with this etag. A watch outlives the connection, and the server: it connects
        again and goes on after the last revision that it received. It ends with an Error if there is no connection
        within the client's timeout.
        """
        request = config_service_pb2.WatchConfigRequest(after_etag=after)

        def again(last: Any, error: Exception) -> config_service_pb2.WatchConfigRequest:
            if isinstance(error, OutOfRange):  # a server without --state has begun a new history
                return config_service_pb2.WatchConfigRequest()
            etag = last.revision.etag if last is not None else after
            return config_service_pb2.WatchConfigRequest(after_etag=etag)

        return Feed(self, request, values.value, again)

    @call
    async def list_revisions(self, *, limit: int | None = None, with_config: bool = False) -> list[values.Revision]:
        """List the stored revisions, newest first, at most `limit`."""
        request = config_service_pb2.ListRevisionsRequest(with_config=with_config)
        found: list[values.Revision] = []
        while limit is None or len(found) < limit:
            if limit is not None:
                request.page_size = min(limit - len(found), 1000)
            page = await self._call(request)
            found += map(values.value, page.revisions)
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        return found

    @call
    async def get_revision(self, revision: int) -> values.Revision:
        """Get one revision with its configuration. Raises NotFound if it is not stored."""
        found: values.Revision = values.value(
            (await self._call(config_service_pb2.GetRevisionRequest(revision=revision))).revision
        )
        return found

    @call
    async def rollback_config(
        self, revision: int, *, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.ConfigChange:
        """Apply the configuration of an earlier revision again, as a new revision. Raises NotFound."""
        request = config_service_pb2.RollbackConfigRequest(
            revision=revision, etag=etag, comment=comment, validate_only=validate_only
        )
        return await self._value(values.ConfigChange, request)

    @call
    async def list_listeners(self) -> list[dict[str, Any]]:
        """List the listeners of the active configuration by name, each as in YAML."""
        request = listener_service_pb2.ListListenersRequest()
        found: list[dict[str, Any]] = []
        while True:
            page = await self._call(request)
            found += map(values.value, page.listeners)
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

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

    @call
    async def get_status(self) -> values.Status:
        """Get the status of the server, its listeners, its workers and its last changes."""
        return await self._value(values.Status, operations_service_pb2.GetStatusRequest())

    @stream
    def drain(
        self, listener: str = "", *, over: Seconds = 0.0, grace: Seconds | None = None
    ) -> Feed[values.DrainProgress]:
        """Refuse new connections of one listener, or of all, and close open ones evenly `over` a time.

        Connections still open `grace` after that are reset; unless given, that of `serve --grace`. The drain begins
        at once, whether its progress is read or not: `result()` waits for the end. `resume` ends it.
        """
        request = operations_service_pb2.DrainRequest(listener=listener, over=_duration(over))
        if grace is not None:
            request.grace.CopyFrom(_duration(grace))
        return Feed(self, request, values.value)

    @call
    async def resume(self, listener: str = "") -> list[str]:
        """Have one listener, or all, listen again; return the names of those that were drained."""
        return list((await self._call(operations_service_pb2.ResumeRequest(listener=listener))).listeners)

    @stream
    def restart_workers(self, *, over: Seconds = 1.0, grace: Seconds | None = None) -> Feed[values.RestartProgress]:
        """Restart the workers one by one; every client that connects meanwhile is served.

        The restart begins at once, whether its progress is read or not: `result()` waits for the end.
        """
        request = operations_service_pb2.RestartWorkersRequest(over=_duration(over))
        if grace is not None:
            request.grace.CopyFrom(_duration(grace))
        return Feed(self, request, values.value)

    @call
    async def reset_counters(self, listener: str = "", *, rule: str = "", fault: str = "") -> int:
        """Have rules and faults count from 0 again: all, those of a listener, or one; return how many there were.

        `rule`, `fault`: its name, or `rules[N]`, `faults[N]` if it has none. Raises NotFound.
        """
        request = operations_service_pb2.ResetCountersRequest(listener=listener, rule=rule, fault=fault)
        return int((await self._call(request)).counters)

    @call
    async def list_exchanges(
        self, *, limit: int | None = None, newest: bool = False, **which: Unpack[Filter]
    ) -> list[values.Exchange]:
        """List the exchanges in the journal, oldest first, at most `limit`; `newest`: the last ones, at most 1000."""
        request = journal_service_pb2.ListExchangesRequest(filter=filter_of(which), newest=newest, page_size=1000)
        found: list[values.Exchange] = []
        while limit is None or len(found) < limit:
            if limit is not None:
                request.page_size = min(limit - len(found), 1000)
            page = await self._call(request)
            found += map(values.value, page.exchanges)
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        return found

    @stream
    def watch_exchanges(self, *, events: bool = False, **which: Unpack[Filter]) -> Feed[values.Watched]:
        """Receive exchanges as they are completed; `events`: also answers to other events, and ends of connections."""
        request = journal_service_pb2.WatchExchangesRequest(filter=filter_of(which), events=events)
        return Feed(self, request, values.value)

    @call
    async def wait_for_exchanges(
        self,
        *,
        count: int = 1,
        timeout: Seconds = 10.0,  # noqa: ASYNC109 - the server keeps it
        **which: Unpack[Filter],
    ) -> values.Waited:
        """Wait until `count` exchanges match, or the timeout has passed: see `fulfilled`."""
        within = _duration(timeout)
        request = journal_service_pb2.WaitForExchangesRequest(filter=filter_of(which), count=count, timeout=within)
        return await self._value(values.Waited, request, longer=within.ToTimedelta().total_seconds())

    @call
    async def verify_exchanges(
        self,
        *,
        exactly: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
        never: bool = False,
        in_order: Sequence[Condition] = (),
        all_rules_used: bool = False,
        **which: Unpack[Filter],
    ) -> values.Verification:
        """Compare the exchanges in the journal with one expectation; unless given, that there is at least one."""
        expected = {"exactly": exactly, "at_least": at_least, "at_most": at_most, "never": never or None}
        given = {name: value for name, value in expected.items() if value is not None}
        if len(given) > 1:
            raise ValueError(f"only one of {', '.join(given)} can be given")
        request = journal_service_pb2.VerifyExchangesRequest(
            filter=filter_of(which), in_order=conditions(in_order), all_rules_used=all_rules_used
        )
        for name, value in given.items():
            setattr(request, name, value)
        return await self._value(values.Verification, request)

    @call
    async def list_events(
        self, *, listener: str = "", connection: str = "", since: str = "", limit: int = 100
    ) -> list[values.JournalEvent]:
        """List answers to events that are not requests, and ends of connections: the newest, oldest first."""
        request = journal_service_pb2.ListEventsRequest(
            listener=listener, connection=connection, since=since, page_size=limit
        )
        return list(map(values.value, (await self._call(request)).events))

    @call
    async def create_mark(self) -> values.Mark:
        """Return a mark of this moment: its `mark` is for `since`."""
        return await self._value(values.Mark, journal_service_pb2.CreateMarkRequest())

    @call
    async def clear_exchanges(self, listener: str = "") -> int:
        """Remove the exchanges and events of one listener, or of all; return how many exchanges were removed."""
        answer = await self._call(journal_service_pb2.ClearExchangesRequest(listener=listener))
        return int(answer.exchanges)

    @call
    async def list_connections(self, listener: str = "", *, peer: str = "") -> list[values.Connection]:
        """List open connections: all, those of a listener, those of a client (`peer`), or of both."""
        request = connection_service_pb2.ListConnectionsRequest(listener=listener, peer=peer, page_size=1000)
        found: list[values.Connection] = []
        while True:
            page = await self._call(request)
            found += map(values.value, page.connections)
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

    @call
    async def close_connections(
        self, ids: Sequence[str] = (), *, listener: str = "", peer: str = "", reset: bool = False
    ) -> int:
        """Close the connections that fulfil everything that is given, in order or by reset; return how many."""
        request = connection_service_pb2.CloseConnectionsRequest(ids=ids, listener=listener, peer=peer, reset=reset)
        return int((await self._call(request)).connections)

    @call
    async def health(self, service: str = "") -> bool:
        """Whether the server serves: as a whole, `readiness`, `liveness`, or `listener/NAME`. Raises NotFound."""
        return _serves(await self._call(HealthRequest(value=service)))

    @stream
    def watch_health(self, service: str = "") -> Feed[bool]:
        """Receive whether the server serves: now, and after each change."""
        return Feed(self, HealthRequest(value=service), _serves)

    async def _changed(self, request: Any) -> values.ListenerChange:
        """Change a listener; name the fields of problems as in the mapping that was given."""
        try:
            return await self._value(values.ListenerChange, request)
        except ConfigRejected as error:
            problems = list(error.problems)
            if error.total > len(problems):
                problems.append(Problem("", f"{error.total - len(problems)} more problems are not listed"))
            raise rejected([_of_listener(each) for each in problems]) from None

    async def _problems(self, config: config_pb2.Config) -> list[Problem]:
        answer = await self._call(config_service_pb2.ValidateConfigRequest(config=config))
        return [values.value(problem) for problem in answer.problems]


def _read(source: Source) -> document.Document:
    if isinstance(source, Mapping):
        config = config_pb2.Config()
        return document.Document(config, tuple(fill(config, source)))
    return document.load(source if isinstance(source, str | bytes) else Path(source).read_bytes())


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


def _duration(value: Seconds) -> Duration:
    duration = Duration()
    duration.FromTimedelta(value if isinstance(value, timedelta) else timedelta(seconds=value))
    return duration


def _serves(response: Any) -> bool:
    return bool(response.value == HEALTH_SERVING)
