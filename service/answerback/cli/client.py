"""The admin API's client, as commands use it: its errors are texts for people."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import click
from google.protobuf.message import Message

from answerback.cli import credentials, output
from answerback.cli.credentials import Credentials
from answerback.client import BadCredentials, ConfigRejected, Error
from answerback.client.channel import Access
from answerback.client.transport import Transport
from answerback.language.problems import InvalidConfig, Problem
from answerback.v1 import (
    config_pb2,
    config_service_pb2,
    connection_service_pb2,
    journal_service_pb2,
    listener_service_pb2,
    operations_service_pb2,
)

PAGE: Final = 1000  # items that are asked for at a time


class Client:
    """Calls by their names; each may raise ClickException, or InvalidConfig with every problem."""

    def __init__(self, transport: Transport, server: str, timeout: float, *, tls: bool = False) -> None:
        self._transport = transport
        self._server = server
        self._tls = tls
        self._timeout = timeout

    def get_config(self) -> config_service_pb2.GetConfigResponse:
        """The active configuration, with its revision and etag."""
        answer: config_service_pb2.GetConfigResponse = self._call(config_service_pb2.GetConfigRequest())
        return answer

    def get_status(self) -> operations_service_pb2.GetStatusResponse:
        """Get the status of the server."""
        answer: operations_service_pb2.GetStatusResponse = self._call(operations_service_pb2.GetStatusRequest())
        return answer

    def update_config(self, request: config_service_pb2.UpdateConfigRequest) -> config_service_pb2.UpdateConfigResponse:
        """Apply a configuration."""
        try:
            answer: config_service_pb2.UpdateConfigResponse = self._change(request)
        except InvalidConfig as refused:
            # A status has room for some of the problems; the check knows all of the configuration's.
            raise InvalidConfig(self.validate_config(request.config) or refused.problems) from None
        return answer

    def rollback_config(
        self, request: config_service_pb2.RollbackConfigRequest
    ) -> config_service_pb2.RollbackConfigResponse:
        """Apply the configuration of an earlier revision."""
        answer: config_service_pb2.RollbackConfigResponse = self._change(request)
        return answer

    def get_revision(self, number: int) -> config_service_pb2.Revision:
        """One revision of the history."""
        answer: config_service_pb2.GetRevisionResponse = self._call(
            config_service_pb2.GetRevisionRequest(revision=number)
        )
        return answer.revision

    def list_revisions(self) -> Iterator[config_service_pb2.Revision]:
        """The history, the newest first, asked for page by page."""
        for page in self._pages(config_service_pb2.ListRevisionsRequest()):
            yield from page.revisions

    def watch_config(self, after_etag: str) -> Iterator[config_service_pb2.WatchConfigResponse]:
        """Every revision as it becomes active, without end."""
        return self._stream(config_service_pb2.WatchConfigRequest(after_etag=after_etag))

    def list_listeners(self) -> Iterator[config_pb2.Listener]:
        """Every listener, by name, asked for page by page."""
        for page in self._pages(listener_service_pb2.ListListenersRequest()):
            yield from page.listeners

    def get_listener(self, name: str) -> listener_service_pb2.GetListenerResponse:
        """One listener."""
        answer: listener_service_pb2.GetListenerResponse = self._call(
            listener_service_pb2.GetListenerRequest(name=name)
        )
        return answer

    def create_listener(
        self, request: listener_service_pb2.CreateListenerRequest
    ) -> listener_service_pb2.CreateListenerResponse:
        """Add a listener."""
        answer: listener_service_pb2.CreateListenerResponse = self._change(request)
        return answer

    def update_listener(
        self, request: listener_service_pb2.UpdateListenerRequest
    ) -> listener_service_pb2.UpdateListenerResponse:
        """Change a listener."""
        answer: listener_service_pb2.UpdateListenerResponse = self._change(request)
        return answer

    def delete_listener(
        self, request: listener_service_pb2.DeleteListenerRequest
    ) -> listener_service_pb2.DeleteListenerResponse:
        """Remove a listener."""
        answer: listener_service_pb2.DeleteListenerResponse = self._change(request)
        return answer

    def add_fault(self, request: listener_service_pb2.AddFaultRequest) -> listener_service_pb2.AddFaultResponse:
        """Add a fault to a listener."""
        answer: listener_service_pb2.AddFaultResponse = self._change(request)
        return answer

    def remove_fault(
        self, request: listener_service_pb2.RemoveFaultRequest
    ) -> listener_service_pb2.RemoveFaultResponse:
        """Remove a fault from a listener."""
        answer: listener_service_pb2.RemoveFaultResponse = self._change(request)
        return answer

    def drain(self, request: operations_service_pb2.DrainRequest) -> Iterator[operations_service_pb2.DrainResponse]:
        """Drain; how far it is, until it is over."""
        return self._stream(request)

    def resume(self, request: operations_service_pb2.ResumeRequest) -> operations_service_pb2.ResumeResponse:
        """Listen again."""
        answer: operations_service_pb2.ResumeResponse = self._call(request)
        return answer

    def restart_workers(
        self, request: operations_service_pb2.RestartWorkersRequest
    ) -> Iterator[operations_service_pb2.RestartWorkersResponse]:
        """Replace the workers; each step of that."""
        return self._stream(request)

    def reset_counters(
        self, request: operations_service_pb2.ResetCountersRequest
    ) -> operations_service_pb2.ResetCountersResponse:
        """Have rules and faults count from 0 again."""
        answer: operations_service_pb2.ResetCountersResponse = self._call(request)
        return answer

    def signal(self, request: operations_service_pb2.SignalRequest) -> operations_service_pb2.SignalResponse:
        """Give a signal."""
        answer: operations_service_pb2.SignalResponse = self._call(request)
        return answer

    def create_mark(self) -> str:
        """Get a mark of this moment."""
        return str(self._call(journal_service_pb2.CreateMarkRequest()).mark)

    def list_exchanges(
        self, wanted: journal_service_pb2.ExchangeFilter, limit: int | None
    ) -> Iterator[journal_service_pb2.Exchange]:
        """Every exchange that is kept, oldest first, asked for page by page; or the newest ones."""
        if limit is not None and limit <= PAGE:
            newest = journal_service_pb2.ListExchangesRequest(filter=wanted, page_size=limit, newest=True)
            yield from self._call(newest).exchanges
            return
        request = journal_service_pb2.ListExchangesRequest(filter=wanted, page_size=PAGE)
        exchanges = chain.from_iterable(page.exchanges for page in self._pages(request))
        yield from exchanges if limit is None else deque(exchanges, maxlen=limit)

    def last_unmatched(self) -> journal_service_pb2.Exchange | None:
        """The newest request in the journal that no rule matched; None without one, or if the token may not read it."""
        wanted = journal_service_pb2.ExchangeFilter(unmatched=True)
        request = journal_service_pb2.ListExchangesRequest(filter=wanted, page_size=1, newest=True)
        try:
            found: Sequence[journal_service_pb2.Exchange] = self._transport.call(request, self._timeout).exchanges
        except Error:
            return None
        return found[0] if found else None

    def list_events(
        self, wanted: journal_service_pb2.ExchangeFilter, limit: int | None
    ) -> Sequence[journal_service_pb2.JournalEvent]:
        """The newest events, oldest first."""
        request = journal_service_pb2.ListEventsRequest(
            listener=wanted.listener,
            connection=wanted.connection,
            since=wanted.since,
            page_size=min(limit or PAGE, PAGE),
        )
        events: Sequence[journal_service_pb2.JournalEvent] = self._call(request).events
        return events

    def watch_exchanges(
        self, wanted: journal_service_pb2.ExchangeFilter, *, events: bool
    ) -> Iterator[journal_service_pb2.WatchExchangesResponse]:
        """Exchanges as they come, without end."""
        return self._stream(journal_service_pb2.WatchExchangesRequest(filter=wanted, events=events))

    def verify_exchanges(
        self, request: journal_service_pb2.VerifyExchangesRequest
    ) -> journal_service_pb2.VerifyExchangesResponse:
        """Compare what is in the journal with an expectation."""
        answer: journal_service_pb2.VerifyExchangesResponse = self._call(request)
        return answer

    def list_connections(
        self, request: connection_service_pb2.ListConnectionsRequest
    ) -> Iterator[connection_service_pb2.Connection]:
        """Every open connection, asked for page by page."""
        for page in self._pages(request):
            yield from page.connections

    def close_connections(
        self, request: connection_service_pb2.CloseConnectionsRequest
    ) -> connection_service_pb2.CloseConnectionsResponse:
        """Close connections."""
        answer: connection_service_pb2.CloseConnectionsResponse = self._call(request)
        return answer

    def validate_config(self, config: config_pb2.Config) -> list[Problem]:
        """Every problem of a configuration."""
        answer = self._call(config_service_pb2.ValidateConfigRequest(config=config))
        return [Problem(found.path, found.message) for found in answer.problems]

    def _call(self, request: Message) -> Any:
        try:
            return self._transport.call(request, self._timeout)
        except Error as error:
            raise click.ClickException(self._text(error)) from None

    def _change(self, request: Message) -> Any:
        """Call; only a change of the configuration raises InvalidConfig, whatever the server says."""
        try:
            return self._transport.call(request, self._timeout)
        except ConfigRejected as error:
            raise InvalidConfig(error.problems) if error.problems else click.ClickException(self._text(error)) from None
        except Error as error:
            raise click.ClickException(self._text(error)) from None

    def _pages(self, request: Any) -> Iterator[Any]:
        """Every page of a list; each is asked for when the one before has been used."""
        while True:
            page = self._call(request)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def _stream(self, request: Message) -> Iterator[Any]:
        replies = self._transport.stream(request)
        try:
            while (reply := replies.next()) is not None:
                yield reply
        except Error as error:
            raise click.ClickException(self._text(error)) from None
        finally:
            replies.cancel()

    def _text(self, error: Error) -> str:
        details = output.printable(error.details)  # one line, whatever the server sent
        match error.code:
            case "UNAVAILABLE" if not error.reason:
                return f"no Answerback server at {self._server}: {details}\n{self._advice(details)}"
            case "UNAUTHENTICATED":
                named = "Set --token-file or ANSWERBACK_TOKEN_FILE to the file with the token."
                return f"{self._server}: {details}\n{named}"
            case "DEADLINE_EXCEEDED":
                return f"{self._server} did not answer within {self._timeout:g} s (--timeout)"
            case "UNIMPLEMENTED":
                return f"the server at {self._server} is not Answerback, or is another version: {details}"
            case _:
                return f"{self._server}: {details}"

    def _advice(self, details: str) -> str:
        """What to look at when a connection has failed, by gRPC's words for it."""
        if "CERTIFICATE_VERIFY_FAILED" in details or "verification check failed" in details:
            return "The server's certificate is not signed by a CA in --ca, is expired, or is for another name."
        if "http1" in details:
            port = "This port speaks HTTP, as the metrics port does"
            return f"{port}: set --server or ANSWERBACK_SERVER to the address of the admin API."
        if "handshake" in details.lower() or "Socket closed" in details:
            if self._tls:
                return "The server may not use TLS, or may require another client certificate (--cert, --key)."
            return "The server may require TLS: set --ca to the CA that signed its certificate."
        return "Is `answerback serve` running? Set --server or ANSWERBACK_SERVER to the address of its admin API."


@contextmanager
def connected(server: str, timeout: float = math.inf, shown: Credentials | None = None) -> Iterator[Client]:
    """A client of the admin API at an address; it shows what the command that runs was given, or `shown`."""
    shown = shown or credentials.given()
    access = Access(
        server=server,
        token_file=shown.token_file,
        ca=shown.ca,
        cert=shown.cert,
        key=shown.key,
        spelled=_option,
    )
    try:
        transport = Transport(access)
    except BadCredentials as error:
        raise click.ClickException(str(error)) from None
    try:
        yield Client(transport, server, timeout, tls=shown.tls)
    finally:
        transport.close()


def _option(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"
