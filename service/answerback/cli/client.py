"""The admin API's client, as commands use it: its errors are theirs to show, not to explain."""

# Rule: this and `channel` are the modules above the control room that import grpc.

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import click
import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from answerback.cli import channel, credentials, output
from answerback.cli.credentials import Credentials
from answerback.language.problems import Problem, Refused
from answerback.v1 import config_pb2, config_service_pb2, listener_service_pb2, operations_service_pb2
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub
from answerback.v1.listener_service_pb2_grpc import ListenerServiceStub
from answerback.v1.operations_service_pb2_grpc import OperationsServiceStub


class Client:
    """Calls by their names; each may raise ClickException, or Refused with every problem."""

    def __init__(self, channel: grpc.Channel, server: str, timeout: float, *, tls: bool = False) -> None:
        self._server = server
        self._tls = tls
        self._timeout = timeout
        self._config = ConfigServiceStub(channel)
        self._listeners = ListenerServiceStub(channel)
        self._operations = OperationsServiceStub(channel)

    def get_config(self) -> config_service_pb2.GetConfigResponse:
        """The active configuration, with its revision and etag."""
        with self._answered():
            return self._config.GetConfig(config_service_pb2.GetConfigRequest(), timeout=self._timeout)

    def get_status(self) -> operations_service_pb2.GetStatusResponse:
        """Get the status of the server."""
        with self._answered():
            return self._operations.GetStatus(operations_service_pb2.GetStatusRequest(), timeout=self._timeout)

    def update_config(self, request: config_service_pb2.UpdateConfigRequest) -> config_service_pb2.UpdateConfigResponse:
        """Apply a configuration."""
        try:
            with self._answered(changes=True):
                return self._config.UpdateConfig(request, timeout=self._timeout)
        except Refused as refused:
            # A status has room for some of the problems; the check knows all of the configuration's.
            raise Refused(self.validate_config(request.config) or refused.problems) from None

    def rollback_config(
        self, request: config_service_pb2.RollbackConfigRequest
    ) -> config_service_pb2.RollbackConfigResponse:
        """Apply the configuration of an earlier revision."""
        with self._answered(changes=True):
            return self._config.RollbackConfig(request, timeout=self._timeout)

    def get_revision(self, number: int) -> config_service_pb2.Revision:
        """One revision of the history."""
        request = config_service_pb2.GetRevisionRequest(revision=number)
        with self._answered():
            return self._config.GetRevision(request, timeout=self._timeout).revision

    def list_revisions(self) -> Iterator[config_service_pb2.Revision]:
        """The history, the newest first, asked for page by page."""
        request = config_service_pb2.ListRevisionsRequest()
        while True:
            with self._answered():
                page = self._config.ListRevisions(request, timeout=self._timeout)
            yield from page.revisions
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def watch_config(self, after_etag: str) -> Iterator[config_service_pb2.WatchConfigResponse]:
        """Every revision as it becomes active, without end."""
        with self._answered():
            yield from self._config.WatchConfig(config_service_pb2.WatchConfigRequest(after_etag=after_etag))

    def list_listeners(self) -> Iterator[config_pb2.Listener]:
        """Every listener, by name, asked for page by page."""
        request = listener_service_pb2.ListListenersRequest()
        while True:
            with self._answered():
                page = self._listeners.ListListeners(request, timeout=self._timeout)
            yield from page.listeners
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def get_listener(self, name: str) -> listener_service_pb2.GetListenerResponse:
        """One listener."""
        request = listener_service_pb2.GetListenerRequest(name=name)
        with self._answered():
            return self._listeners.GetListener(request, timeout=self._timeout)

    def create_listener(
        self, request: listener_service_pb2.CreateListenerRequest
    ) -> listener_service_pb2.CreateListenerResponse:
        """Add a listener."""
        with self._answered(changes=True):
            return self._listeners.CreateListener(request, timeout=self._timeout)

    def update_listener(
        self, request: listener_service_pb2.UpdateListenerRequest
    ) -> listener_service_pb2.UpdateListenerResponse:
        """Change a listener."""
        with self._answered(changes=True):
            return self._listeners.UpdateListener(request, timeout=self._timeout)

    def delete_listener(
        self, request: listener_service_pb2.DeleteListenerRequest
    ) -> listener_service_pb2.DeleteListenerResponse:
        """Remove a listener."""
        with self._answered(changes=True):
            return self._listeners.DeleteListener(request, timeout=self._timeout)

    def drain(self, request: operations_service_pb2.DrainRequest) -> Iterator[operations_service_pb2.DrainResponse]:
        """Drain; how far it is, until it is over."""
        with self._answered():
            yield from self._operations.Drain(request)

    def resume(self, request: operations_service_pb2.ResumeRequest) -> operations_service_pb2.ResumeResponse:
        """Listen again."""
        with self._answered():
            return self._operations.Resume(request, timeout=self._timeout)

    def restart_workers(
        self, request: operations_service_pb2.RestartWorkersRequest
    ) -> Iterator[operations_service_pb2.RestartWorkersResponse]:
        """Replace the workers; each step of that."""
        with self._answered():
            yield from self._operations.RestartWorkers(request)

    def reset_counters(
        self, request: operations_service_pb2.ResetCountersRequest
    ) -> operations_service_pb2.ResetCountersResponse:
        """Have rules and faults count from 0 again."""
        with self._answered():
            return self._operations.ResetCounters(request, timeout=self._timeout)

    def validate_config(self, config: config_pb2.Config) -> list[Problem]:
        """Every problem of a configuration."""
        with self._answered():
            request = config_service_pb2.ValidateConfigRequest(config=config)
            answer = self._config.ValidateConfig(request, timeout=self._timeout)
        return [Problem(found.path, found.message) for found in answer.problems]

    @contextmanager
    def _answered(self, *, changes: bool = False) -> Iterator[None]:
        """A call; only one that changes the configuration raises Refused, whatever the server says."""
        try:
            yield
        except grpc.RpcError as error:
            raise self._failure(error, changes=changes) from None

    def _failure(self, error: grpc.RpcError, *, changes: bool) -> Exception:
        """What a command says of a failed call. Every error that a stub raises is a call as well."""
        call = cast(grpc.Call, error)
        problems = _violations(call) if changes else []
        return Refused(problems) if problems else click.ClickException(self._text(call))

    def _text(self, error: grpc.Call) -> str:
        details = output.printable(error.details() or "")  # one line, whatever the server sent
        match error.code():
            case grpc.StatusCode.UNAVAILABLE if _status(error) is None:
                return f"no Answerback server at {self._server}: {details}\n{self._advice(details)}"
            case grpc.StatusCode.UNAUTHENTICATED:
                named = "Set --token-file or ANSWERBACK_TOKEN_FILE to the file with the token."
                return f"{self._server}: {details}\n{named}"
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return f"{self._server} did not answer within {self._timeout:g} s (--timeout)"
            case grpc.StatusCode.UNIMPLEMENTED:
                return f"the server at {self._server} is not Answerback, or is another version: {details}"
            case _:
                return f"{self._server}: {details}"

    def _advice(self, details: str) -> str:
        """What to look at when a connection has failed, by gRPC's words for it."""
        if "CERTIFICATE_VERIFY_FAILED" in details or "verification check failed" in details:
            return "The server's certificate is not signed by a CA in --ca, is expired, or is for another name."
        if "handshake" in details.lower() or "Socket closed" in details:
            if self._tls:
                return "The server may not use TLS, or may require another client certificate (--cert, --key)."
            return "The server may require TLS: set --ca to the CA that signed its certificate."
        return "Is `answerback serve` running? Set --server or ANSWERBACK_SERVER to the address of its admin API."


def _status(error: grpc.Call) -> Status | None:
    """The status that travels beside the code and its text; None without one, or with one that is none."""
    try:
        status: Status | None = rpc_status.from_call(error)
    except (ValueError, DecodeError):
        return None
    return status


def _violations(error: grpc.Call) -> list[Problem]:
    """The problems of a rejected configuration, as many as the status had room for; none for any other failure."""
    status = _status(error)
    info, bad = ErrorInfo(), BadRequest()
    try:
        for detail in status.details if status is not None else ():
            detail.Unpack(info)
            detail.Unpack(bad)
    except DecodeError:
        return []
    if info.reason != "CONFIG_REJECTED":
        return []
    return [Problem(violation.field, violation.description) for violation in bad.field_violations]


@contextmanager
def connected(server: str, timeout: float = math.inf, shown: Credentials | None = None) -> Iterator[Client]:
    """A client of the admin API at an address; it shows what the command that runs was given, or `shown`."""
    shown = shown or credentials.given()
    with channel.opened(server, shown) as opened:
        yield Client(opened, server, timeout, tls=shown.tls)
