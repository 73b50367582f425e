"""answerback.v1.JournalService."""

import asyncio
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from grpc import aio

from answerback.control import journal_messages
from answerback.control.errors import BadArgument
from answerback.control.journal_messages import STATES_ASKED, exchange
from answerback.control.requests import page_size, seconds
from answerback.control.times import timestamp
from answerback.language.editing import NoSuchListener
from answerback.language.problems import InvalidConfig
from answerback.supervisor import NoSuchCounter, Supervisor
from answerback.supervisor.journal.evidence import Expected, Outcome
from answerback.supervisor.journal.exchanges import Exchange
from answerback.supervisor.journal.filters import Filter, NoSuchName, Query
from answerback.supervisor.journal.marks import StaleMark
from answerback.supervisor.journal.reading import Cursors
from answerback.v1 import journal_service_pb2 as pb
from answerback.v1.journal_service_pb2_grpc import JournalServiceServicer

WAIT_SECONDS: Final = 10.0
MAX_IN_ORDER: Final = 100
OUTCOMES: Final = {
    Outcome.HOLDS: pb.OUTCOME_HOLDS,
    Outcome.FAILS: pb.OUTCOME_FAILS,
    Outcome.UNKNOWN: pb.OUTCOME_UNKNOWN,
}
Context = aio.ServicerContext[Any, Any]
M = TypeVar("M", bound=Message)


class JournalService(JournalServiceServicer):
    """Requests of clients, and the replies that they got."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._journal = supervisor.journal
        self._connections = supervisor.connections

    async def ListExchanges(self, request: pb.ListExchangesRequest, context: Context) -> pb.ListExchangesResponse:
        """Return a page of exchanges."""
        wanted, size = await self._filter(request.filter), page_size(request.page_size)
        if request.newest:
            if request.page_token:
                raise BadArgument("page_token", "the newest exchanges are one page: leave it empty")
            return pb.ListExchangesResponse(exchanges=await self._exchanges(await self._journal.newest(wanted, size)))
        found, cursors = await self._journal.page(wanted, size, _cursors(request.page_token))
        return pb.ListExchangesResponse(exchanges=await self._exchanges(found), next_page_token=_token(cursors))

    async def WatchExchanges(
        self, request: pb.WatchExchangesRequest, context: Context
    ) -> AsyncIterator[pb.WatchExchangesResponse]:
        """Stream exchanges from now on."""
        wanted = await self._filter(request.filter)
        async with aclosing(self._journal.watch(wanted, events=request.events)) as found:
            async for each in found:
                if isinstance(each, Exchange):
                    yield pb.WatchExchangesResponse(exchange=self._exchange(each))
                elif isinstance(each, int):
                    yield pb.WatchExchangesResponse(lost=each) if each else pb.WatchExchangesResponse(started=True)
                else:
                    yield pb.WatchExchangesResponse(event=journal_messages.event(each, self._journal.clock))

    async def WaitForExchanges(
        self, request: pb.WaitForExchangesRequest, context: Context
    ) -> pb.WaitForExchangesResponse:
        """Return when enough exchanges match."""
        wanted = await self._filter(request.filter)
        count = request.count if request.HasField("count") else 1
        if not count:
            raise BadArgument("count", "must be 1 or more; VerifyExchanges checks that there are none")
        waited = await self._journal.wait(wanted, count, seconds(request, "timeout", WAIT_SECONDS))
        return pb.WaitForExchangesResponse(
            fulfilled=waited.fulfilled,
            found=waited.found,
            exchanges=await self._exchanges(waited.exchanges),
            nearest=(journal_messages.nearest(each, self._journal.clock) for each in waited.nearest),
        )

    async def VerifyExchanges(self, request: pb.VerifyExchangesRequest, context: Context) -> pb.VerifyExchangesResponse:
        """Return whether an expectation holds."""
        if request.in_order and request.WhichOneof("expected"):
            raise BadArgument("in_order", "give either a number or an order")
        if len(request.in_order) > MAX_IN_ORDER:
            raise BadArgument("in_order", f"{len(request.in_order)} conditions; the maximum is {MAX_IN_ORDER}")
        wanted = await self._filter(request.filter)
        try:
            verified = await self._journal.verify(
                wanted, _expected(request), request.in_order, all_rules_used=request.all_rules_used
            )
        except InvalidConfig as refused:
            raise _bad_filter(refused) from None
        return pb.VerifyExchangesResponse(
            outcome=OUTCOMES[verified.outcome],
            text=verified.text,
            found=verified.found,
            exchanges=await self._exchanges(verified.exchanges),
            nearest=(journal_messages.nearest(each, self._journal.clock) for each in verified.nearest),
            missing=(journal_messages.missing(each, self._journal.clock) for each in verified.missing),
            unused_rules=verified.unused,
        )

    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        """Return the newest events."""
        wanted = await self._filter(
            pb.ExchangeFilter(listener=request.listener, connection=request.connection, since=request.since), "since"
        )
        events = await self._journal.events(wanted, page_size(request.page_size))
        clock = self._journal.clock
        messages = [journal_messages.event(each, clock) async for each in self._journal.turns.each(events)]
        return pb.ListEventsResponse(events=messages)

    async def CreateMark(self, request: pb.CreateMarkRequest, context: Context) -> pb.CreateMarkResponse:
        """Return a mark of this moment."""
        mark, moment = self._journal.clock.mark()
        return pb.CreateMarkResponse(mark=mark, time=timestamp(self._journal.clock.wall(moment)))

    async def ClearExchanges(self, request: pb.ClearExchangesRequest, context: Context) -> pb.ClearExchangesResponse:
        """Return how many exchanges were removed."""
        block = self._journal.names.block(request.listener) if request.listener else None
        if request.listener and block is None:
            raise NoSuchListener(request.listener)
        return pb.ClearExchangesResponse(exchanges=await self._connections.clear_journal(block))

    async def _exchanges(self, found: Sequence[Exchange]) -> list[pb.Exchange]:
        return [self._exchange(each) async for each in self._journal.turns.each(found)]

    def _exchange(self, found: Exchange) -> pb.Exchange:
        return exchange(found, self._journal.clock)

    async def _filter(self, given: pb.ExchangeFilter, since: str = "filter.since") -> Filter:
        """Compile a filter. Raises BadArgument, NoSuchListener, NoSuchCounter."""
        if given.state not in STATES_ASKED:
            raise BadArgument("filter.state", f"there is no value {given.state}")
        try:
            query = Query(
                listener=given.listener,
                rule=given.rule,
                connection=given.connection,
                peer=given.peer,
                match=given.match if given.HasField("match") else None,
                unmatched=given.unmatched,
                faulted=given.faulted,
                state=STATES_ASKED[given.state],
                since=self._journal.clock.since(given.since),
                id=given.id,
            )
            if query.match is None:
                return self._journal.filter(query)
            # A pattern may take long to compile.
            return await asyncio.get_running_loop().run_in_executor(None, self._journal.filter, query)
        except StaleMark as stale:
            raise BadArgument(since, str(stale)) from None
        except InvalidConfig as refused:
            raise _bad_filter(refused) from None
        except NoSuchName as unknown:
            if unknown.field == "listener":
                raise NoSuchListener(given.listener) from None
            raise NoSuchCounter(given.listener, "rule", given.rule) from None


def _bad_filter(refused: InvalidConfig) -> BadArgument:
    problem = refused.problems[0]
    return BadArgument(problem.path, problem.message)


def _expected(request: pb.VerifyExchangesRequest) -> Expected:
    match request.WhichOneof("expected"):
        case "exactly":
            return Expected(request.exactly, request.exactly)
        case "at_least":
            return Expected(request.at_least)
        case "at_most":
            return Expected(0, request.at_most)
        case "never":
            return Expected(0, 0)
    return Expected()


def _token(cursors: Cursors | None) -> str:
    if cursors is None:
        return ""
    text = " ".join(f"{region}.{sequence}.{index}" for region, (sequence, index) in cursors.items())
    return urlsafe_b64encode(text.encode()).decode()


def _cursors(token: str) -> Cursors:
    """Return the cursors of a page token. Raises BadArgument."""
    try:
        places = (
            place.split(".") for place in b64decode(token.encode(), altchars=b"-_", validate=True).decode().split()
        )
        found = {int(region): (int(sequence), int(index)) for region, sequence, index in places}
    except ValueError:
        raise BadArgument("page_token", "not a token of this server; start again without one") from None
    if any(not 0 <= number < 1 << 63 for place in found.values() for number in place):
        raise BadArgument("page_token", "not a token of this server; start again without one")
    return found
