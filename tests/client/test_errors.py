"""What calls raise."""

import socket
import threading
from typing import Any

import pytest
from grpc import StatusCode

from answerback import client as clients
from answerback.client.errors import KINDS, failure
from answerback.control.authorisation import PermissionDenied, Unauthenticated
from answerback.control.errors import BadArgument
from answerback.control.limits import Kind, TooManyCalls
from answerback.language.editing import ListenerExists, NoSuchListener
from answerback.supervisor import EtagMismatch, NotOfThisHistory, Stopping, StoreFull
from answerback.v1.config_service_pb2 import GetConfigResponse
from tests.cli.conftest import Api
from tests.client.conftest import Connect, Face
from tests.ports import free_port


@pytest.mark.parametrize(
    "raised, kind, code, reason",
    [
        (BadArgument("page_token", "bad"), clients.InvalidArgument, "INVALID_ARGUMENT", "BAD_ARGUMENT"),
        (NoSuchListener("a"), clients.NotFound, "NOT_FOUND", "NO_SUCH_LISTENER"),
        (ListenerExists("a"), clients.AlreadyExists, "ALREADY_EXISTS", "LISTENER_EXISTS"),
        (EtagMismatch("e"), clients.Aborted, "ABORTED", "ETAG_MISMATCH"),
        (NotOfThisHistory("e"), clients.OutOfRange, "OUT_OF_RANGE", "STALE_PAGE_TOKEN"),
        (Stopping(), clients.Unavailable, "UNAVAILABLE", "STOPPING"),
        (StoreFull("full"), clients.ResourceExhausted, "RESOURCE_EXHAUSTED", "STORE_FULL"),
        (TooManyCalls(next(iter(Kind)), 3), clients.ResourceExhausted, "RESOURCE_EXHAUSTED", "TOO_MANY_CALLS"),
        (Unauthenticated("who"), clients.Unauthenticated, "UNAUTHENTICATED", "UNAUTHENTICATED"),
        (PermissionDenied("no"), clients.PermissionDenied, "PERMISSION_DENIED", "PERMISSION_DENIED"),
        (KeyError("bug"), clients.Error, "INTERNAL", "INTERNAL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_exception_of_the_server_becomes_an_error_of_its_kind(
    scripted: Face, api: Api, raised: Exception, kind: type, code: str, reason: str
) -> None:
    api.answers["GetConfig"] = raised
    with pytest.raises(clients.Error) as error:
        scripted.do(lambda client: client.get_config())
    assert type(error.value) is kind
    assert (error.value.code, error.value.reason) == (code, reason)
    assert str(error.value) == f"127.0.0.1:{api.port}: {error.value.details}"
    assert error.value.__suppress_context__


def test_every_kind_has_the_name_of_a_status_code() -> None:
    assert set(KINDS) <= {code.name for code in StatusCode}
    for code, kind in KINDS.items():
        assert kind.__name__ == code.title().replace("_", "")
        assert getattr(clients, kind.__name__) is kind


@pytest.mark.parametrize("kind", [ConnectionError, clients.Unavailable])
def test_call_with_no_server_fails_at_once(connect: Connect, kind: type[Exception]) -> None:
    server = f"127.0.0.1:{free_port()}"
    with pytest.raises(kind, match=f"^no Answerback server at {server}: ") as error:
        connect(server, timeout=60).do(lambda client: client.get_status())
    assert getattr(error.value, "reason", None) == ""


def test_call_to_a_silent_server_ends_with_the_timeout(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        face = connect(f"127.0.0.1:{silent.getsockname()[1]}", timeout=60)
        with pytest.raises(TimeoutError) as error:
            face.do(lambda client: client.with_timeout(0.05).get_status())
    assert isinstance(error.value, clients.DeadlineExceeded)


def test_client_that_waits_for_the_server_finds_it_when_it_starts(connect: Connect, api: Api) -> None:
    api.answers["GetConfig"] = GetConfigResponse(revision=5)
    server = f"127.0.0.1:{free_port()}"
    face = connect(server, timeout=30, wait_for_server=True)
    starting = threading.Timer(0.1, relay, args=(server, api.port))
    starting.start()
    assert face.do(lambda client: client.get_config()).revision == 5
    starting.join()


def relay(server: str, port: int) -> None:
    """Listen on an address for one connection, and pass its bytes on to a port."""
    host, _, own = server.rpartition(":")
    with socket.create_server((host, int(own))) as listening:
        listening.settimeout(30)
        near, _ = listening.accept()
    far = socket.create_connection(("127.0.0.1", port))
    for source, target in ((near, far), (far, near)):
        threading.Thread(target=pump, args=(source, target), daemon=True).start()


def pump(source: socket.socket, target: socket.socket) -> None:
    with source, target:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


class Failed:
    """A failed call with some trailing metadata."""

    def __init__(self, *trailing: tuple[str, bytes]) -> None:
        self._trailing = trailing

    def code(self) -> StatusCode:
        return StatusCode.NOT_FOUND

    def details(self) -> None:
        return None

    def trailing_metadata(self) -> Any:
        return self._trailing or None


@pytest.mark.parametrize("trailing", [(), (("x", b"y"),), (("grpc-status-details-bin", b"\xff\xff"),)])
def test_status_that_cannot_be_read_is_an_error_without_reason(trailing: tuple[tuple[str, bytes], ...]) -> None:
    error = failure(Failed(*trailing), "a:1")
    assert (type(error), error.code, error.reason, error.problems) == (clients.NotFound, "NOT_FOUND", "", ())
