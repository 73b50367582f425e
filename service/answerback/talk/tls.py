"""The client's end of a connection over TLS (1.2 or 1.3), as a player of talks needs it."""

# Rule: the socket is read only when TLS needs bytes, so that nothing of the peer's is in the way of a close_notify.

import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

from answerback.compat import override
from answerback.talk.network import READ_BYTES, Address, Endpoint, SocketEndpoint, SocketNetwork, connected

T = TypeVar("T")


class TlsFailed(OSError):
    """The handshake failed, or the connection ended without close_notify. The text is the whole message."""


def client_context(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Trust the authorities in `ca` alone, and have a certificate if one is given. All are files in PEM.

    Raises OSError, which ssl.SSLError is.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key, password="")
    return context


class TlsEndpoint:
    """A connected socket on which a handshake was completed."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str, timeout: float) -> None:
        """Shake hands with the server of that name or address, and own the socket. Raises TlsFailed, OSError."""
        self._sock = sock
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=name)
        self._read: deque[bytes] = deque()  # what was decrypted before close_notify was sent
        try:
            self._do(self._tls.do_handshake, monotonic() + timeout)
        except ssl.SSLCertVerificationError as error:
            raise TlsFailed(f"the server's certificate is not accepted: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise TlsFailed(f"the TLS handshake failed: {error.reason or error}") from None

    def send(self, data: bytes, timeout: float) -> None:
        """See Endpoint."""
        self._tls.write(data)
        self._flush(timeout)

    def start_tls(self, timeout: float) -> Endpoint:  # noqa: ARG002 - it fails at once
        """See Endpoint: it cannot begin twice."""
        raise OSError("TLS has begun already")

    def send_eof(self) -> None:
        """Send close_notify, and no FIN: the peer may go on. Raises OSError."""
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while data := self._tls.read(READ_BYTES):  # close_notify must not meet data that were not read
                self._read.append(data)
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush(None)

    def read(self, timeout: float) -> bytes:
        """See Endpoint; the end is the peer's close_notify, and FIN without it raises TlsFailed."""
        if self._read:
            return self._read.popleft()
        try:
            return self._do(lambda: self._tls.read(READ_BYTES), monotonic() + timeout)
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLEOFError:
            raise TlsFailed("the connection ended without close_notify") from None
        except ssl.SSLError as error:
            raise TlsFailed(f"TLS failed: {error.reason or error}") from None

    def close(self) -> None:
        """See Endpoint."""
        self._sock.close()

    def _do(self, call: Callable[[], T], deadline: float) -> T:
        """Call until no more bytes are needed. Raises what the call raises, TimeoutError, OSError."""
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                self._flush(None)
                self._receive(deadline)
            except ssl.SSLError:
                with suppress(OSError):
                    self._flush(None)  # the alert
                raise
            else:
                self._flush(None)
                return result

    def _receive(self, deadline: float) -> None:
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._sock.settimeout(remaining)
        if data := self._sock.recv(READ_BYTES):
            self._received.write(data)
        else:
            self._received.write_eof()

    def _flush(self, timeout: float | None) -> None:
        if data := self._to_send.read():
            if timeout is not None:
                self._sock.settimeout(timeout)
            self._sock.sendall(data)


class TlsNetwork(SocketNetwork):
    """Connects to an address over TLS."""

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        super().__init__(address)
        self._context = context

    @override
    def connect(self, timeout: float) -> TlsEndpoint:
        """See Network; the certificate has to be for the host, on a Unix socket for `localhost`. Raises TlsFailed."""
        sock = connected(self._address, timeout)
        try:
            return TlsEndpoint(sock, self._context, _name(self._address), timeout)
        except OSError:
            sock.close()
            raise


class ClearEndpoint(SocketEndpoint):
    """A connected socket on which TLS can begin."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str) -> None:
        super().__init__(sock)
        self._context = context
        self._name = name

    @override
    def start_tls(self, timeout: float) -> TlsEndpoint:
        return TlsEndpoint(self._sock, self._context, self._name, timeout)


class StartTlsNetwork(SocketNetwork):
    """Connects to an address in the clear, for talks that begin TLS later."""

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        super().__init__(address)
        self._context = context

    @override
    def connect(self, timeout: float) -> ClearEndpoint:
        """See Network; the certificate has to be for the host, on a Unix socket for `localhost`."""
        return ClearEndpoint(connected(self._address, timeout), self._context, _name(self._address))


def _name(address: Address) -> str:
    """Return the name that the server's certificate has to be for."""
    return "localhost" if isinstance(address, str) else address[0]
