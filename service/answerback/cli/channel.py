"""The connection to the admin API: over TLS or not, with a token or without."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

import click
import grpc

from answerback.cli.credentials import Credentials
from answerback.control import address, certificates, tokens
from answerback.control.private_files import BadFile

F = TypeVar("F")
T = TypeVar("T")

# What an answer may hold is the server's to say: a configuration from a file is as large as the file.
OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
NO_PROXY: Final = ("grpc.enable_http_proxy", 0)  # what is for this machine stays on it, whatever `http_proxy` says


@contextmanager
def opened(server: str, given: Credentials) -> Iterator[grpc.Channel]:
    """A channel to an address. Raises ClickException for credentials that cannot be used."""
    private = _private(server)
    token = _usable("--token-file", tokens.read, given.token_file) if given.token_file else b""
    if token and not given.tls and not private:
        raise click.ClickException(
            f"refusing to send a token (--token-file) to {server} in clear text: "
            "use TLS (--ca), loopback or a Unix socket"
        )
    options = [*OPTIONS, NO_PROXY] if private else OPTIONS
    with _channel(server, given, options) as channel:
        yield grpc.intercept_channel(channel, Bearer(token.decode("ascii"))) if token else channel


def _channel(server: str, given: Credentials, options: list[tuple[str, Any]]) -> grpc.Channel:
    if not given.tls:
        return grpc.insecure_channel(server, options=options)
    if (given.cert is None) != (given.key is None):
        raise click.ClickException("--cert and --key must be used together")
    root = _usable("--ca", certificates.read_authority, given.ca) if given.ca else None
    key = chain = None
    if given.cert and given.key:
        chain, key = _usable("--cert", certificates.read_own, certificates.CertificateFiles(given.cert, given.key))
    return grpc.secure_channel(server, grpc.ssl_channel_credentials(root, key, chain), options=options)


def _usable(option: str, read: Callable[[F], T], files: F) -> T:
    try:
        return read(files)
    except BadFile as error:
        raise click.ClickException(f"{option} {error}") from None


def _private(server: str) -> bool:
    try:
        return address.parse(server).private
    except ValueError:  # a name, and whose it is a name server says
        return False


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds a token to every call."""

    def __init__(self, token: str) -> None:
        self._metadata = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """See grpc."""
        return continuation(self._with_token(client_call_details), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """See grpc."""
        return continuation(self._with_token(client_call_details), request)

    def _with_token(self, details: Any) -> _Details:
        return _Details(
            details.method,
            details.timeout,
            [*(details.metadata or ()), self._metadata],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
