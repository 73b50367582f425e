"""The calls of JournalService."""

from collections.abc import Sequence
from typing import Unpack

from answerback.client import values
from answerback.client.calls.durations import Seconds, duration
from answerback.client.calls.filters import Condition, Filter, conditions, filter_of
from answerback.client.faces import Caller, Feed, call, stream
from answerback.v1 import journal_service_pb2


class JournalCalls(Caller):
    """Requests and replies that the journal keeps."""

    @call
    async def list_exchanges(
        self, *, limit: int | None = None, newest: bool = False, **which: Unpack[Filter]
    ) -> list[values.Exchange]:
        """List the exchanges in the journal, oldest first, at most `limit`; `newest`: the last ones, at most 1000."""
        request = journal_service_pb2.ListExchangesRequest(filter=filter_of(which), newest=newest, page_size=1000)
        return await self._pages(request, "exchanges", limit)

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
        within = duration(timeout)
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
        """Compare the exchanges in the journal with one expectation. Default: there is at least one."""
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
