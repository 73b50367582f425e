"""The TLS of one connection, by OpenSSL over memory. See `core.tls.Channel`."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from answerback.compat import override
from answerback.core.tls import Handshakes, TlsError

# Rule: `ssl.SSLObject` would be one more object of each connection, and one more call for each call: this replaces it.

RECORD_BYTES: Final = 16 << 10  # the most in one record (RFC 8446, 5.1)
OUTCOMES: Final = {
    ("TLSv1.2", False): Handshakes.TLS_1_2,
    ("TLSv1.2", True): Handshakes.TLS_1_2_RESUMED,
    ("TLSv1.3", False): Handshakes.TLS_1_3,
    ("TLSv1.3", True): Handshakes.TLS_1_3_RESUMED,
}


class SslChannel:
    """See `core.tls.Channel`. What both ends do; a subclass sets the fields: see `ServerChannel`."""

    __slots__ = ("_ahead", "_incoming", "_openssl", "_outgoing", "peer_closed", "server_name")

    peer_closed: bool
    """Whether the peer's close_notify was read."""
    server_name: str
    """See `sni`."""
    _ahead: bytes
    """Plain text that was read before it was asked for."""
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO
    _openssl: Any

    @property
    def pending(self) -> bool:
        """Whether records are left that were not read."""
        return self._incoming.pending > 0 or self._ahead != b""

    def feed(self, data: bytes | memoryview, /) -> None:
        """These bytes came from the peer."""
        self._incoming.write(data)

    def handshake(self, data: bytes | memoryview = b"", /) -> Handshakes | None:
        """Go on with the handshake, with these bytes of the peer."""
        if data:
            self._incoming.write(data)
        try:
            self._openssl.do_handshake()
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLError, OSError) as error:
            raise TlsError(reason_of(error)) from None
        return OUTCOMES[self._openssl.version(), self._openssl.session_reused]

    def read(self) -> bytes:
        """All plain text of the complete records that were fed."""
        incoming, read = self._incoming, self._openssl.read
        if self.peer_closed:
            incoming.read()
        pieces = [self._ahead] if self._ahead else []
        self._ahead = b""
        try:
            while incoming.pending and not self.peer_closed:
                if piece := read(RECORD_BYTES):
                    pieces.append(piece)
                else:
                    self._closed_by_peer()
        except ssl.SSLWantReadError:  # the rest of a record has not arrived
            pass
        except ssl.SSLZeroReturnError:
            self._closed_by_peer()
        except (ssl.SSLError, OSError) as error:  # OpenSSL writes no more either: nothing before it can be answered
            raise TlsError(reason_of(error)) from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _closed_by_peer(self) -> None:
        self.peer_closed = True
        self._incoming.read()

    def write(self, data: bytes | memoryview, /) -> None:
        """Encrypt."""
        if not data:
            return
        try:
            written = self._openssl.write(data)
            while written < len(data):  # OpenSSL writes a record at a time
                written += self._openssl.write(memoryview(data)[written:])
        except (ssl.SSLError, OSError) as error:
            raise TlsError(reason_of(error)) from None

    def close(self) -> None:
        """Write close_notify."""
        if self.pending:  # otherwise OpenSSL takes it for data after the end, and reads no more
            with suppress(TlsError):
                self._ahead = self.read()
        try:
            self._openssl.shutdown()
        except OSError:  # as nearly always: the peer's is awaited elsewhere
            return

    def pull(self) -> bytes:
        """The records that are to be sent."""
        return self._outgoing.read()

    def last(self, data: bytes | memoryview, /) -> bytes:
        """Encrypt, write close_notify, and return the records that are to be sent."""
        if not 0 < len(data) <= RECORD_BYTES or self._incoming.pending or self._ahead:
            self.write(data)
            self.close()
        else:  # as nearly always, without further calls
            try:
                self._openssl.write(data)
            except (ssl.SSLError, OSError) as error:
                raise TlsError(reason_of(error)) from None
            try:  # noqa: SIM105 - `suppress` is two calls
                self._openssl.shutdown()
            except OSError:  # see `close`
                pass
        return self._outgoing.read()

    @property
    def sni(self) -> bytes:
        """The server name that the client asked for."""
        return self.server_name.encode("ascii", "replace")

    @property
    def alpn(self) -> bytes:
        """The protocol that was agreed on."""
        return (self._openssl.selected_alpn_protocol() or "").encode()

    @property
    def version(self) -> bytes:
        """The version that was agreed on."""
        return (self._openssl.version() or "").encode()

    @property
    def cipher(self) -> bytes:
        """The cipher that was agreed on."""
        agreed = self._openssl.cipher()
        return agreed[0].encode() if agreed else b""

    @property
    def resumed(self) -> bool:
        """Whether the handshake has resumed a session."""
        return bool(self._openssl.session_reused)

    @property
    def client_name(self) -> bytes:
        """The common name of the client's certificate, or else its first alternative name."""
        try:
            certificate: dict[str, Any] = self._openssl.getpeercert() or {}
        except ValueError:  # the handshake is not complete
            return b""
        subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
        alternatives = [value for _, value in certificate.get("subjectAltName", ())]
        return str(subject.get("commonName") or next(iter(alternatives), "")).encode()


class ServerChannel(SslChannel):
    """The server's end."""

    __slots__ = ("__weakref__",)

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = incoming = ssl.MemoryBIO()
        self._outgoing = outgoing = ssl.MemoryBIO()
        self._openssl = context._wrap_bio(incoming, outgoing, True, owner=self)  # type: ignore[attr-defined]  # noqa: SLF001
        self.server_name = ""
        self._ahead = b""
        self.peer_closed = False

    def ask_for(self, name: str, context: ssl.SSLContext | None) -> None:
        """The client asks for this name; it gets another context if there is one for that."""
        self.server_name = name
        if context is not None:
            self._openssl.context = context


class ClientChannel(SslChannel):
    """The client's end."""

    __slots__ = ("_keep",)

    def __init__(
        self,
        context: ssl.SSLContext,
        server_name: str | None,
        session: ssl.SSLSession | None,
        keep: Callable[[ssl.SSLSession], None],
    ) -> None:
        """`server_name`: what it asks for; `session`: what it resumes.

        `keep` is called with the session that can be resumed later.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        wrapped = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name, session=session)
        self._openssl = wrapped._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
        self._keep: Callable[[ssl.SSLSession], None] | None = keep
        self.server_name = ""
        self._ahead = b""
        self.peer_closed = False

    @override
    def handshake(self, data: bytes | memoryview = b"", /) -> Handshakes | None:
        outcome = super().handshake(data)
        if outcome is not None and self._keep is not None:
            self._offer_session(self._keep)
        return outcome

    @override
    def read(self) -> bytes:
        plain = super().read()
        if self._keep is not None:
            self._offer_session(self._keep)
            if plain:  # a server sends its tickets before anything else
                self._keep = None
        return plain

    def _offer_session(self, keep: Callable[[ssl.SSLSession], None]) -> None:
        """Let a session that can be resumed be kept. With TLS 1.3 it comes behind the handshake."""
        session = self._openssl.session
        if session is not None and (session.has_ticket or (session.id and self._openssl.version() == "TLSv1.2")):
            self._keep = None
            keep(session)


def reason_of(error: OSError) -> str:
    """OpenSSL's name for an error; never anything that the peer has sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the peer's certificate is not valid: {error.verify_message}"
    return str(getattr(error, "reason", None) or error.strerror or type(error).__name__)
