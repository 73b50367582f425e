"""What a session's layer of TLS needs of TLS itself, which `tls.channel` implements by OpenSSL."""

from enum import IntEnum
from typing import Final, Protocol, cast

# Rule: only bytes go in and out here: no sockets, no files, no time.


class Handshakes(IntEnum):
    """How a handshake ended. The labels are values of a metric's label; the numbers are cell indexes."""

    TLS_1_2 = 0
    TLS_1_2_RESUMED = 1
    TLS_1_3 = 2
    TLS_1_3_RESUMED = 3
    FAILED = 4

    @property
    def label(self) -> str:
        """The value of the metric label, `tls1.3_resumed` for example."""
        return self.name.lower().replace("tls_1_", "tls1.")


class TlsError(Exception):
    """A handshake failed, or a record is not valid. Has OpenSSL's reason, `NO_SHARED_CIPHER` for example."""


class TlsNames(Protocol):
    """What a client said in its handshake; empty before it is complete."""

    @property
    def sni(self) -> bytes:
        """The server name that the client asked for."""

    @property
    def alpn(self) -> bytes:
        """The protocol that was agreed on."""

    @property
    def client_name(self) -> bytes:
        """The common name of the client's certificate, or else its first alternative name."""


class Channel(TlsNames, Protocol):
    """The TLS of one connection, of either end: records from the peer go in, plain text comes out, and vice versa."""

    @property
    def version(self) -> bytes:
        """The version that was agreed on: `TLSv1.3`."""

    @property
    def cipher(self) -> bytes:
        """The cipher that was agreed on, as OpenSSL names it."""

    @property
    def resumed(self) -> bool:
        """Whether the handshake has resumed a session."""

    @property
    def peer_closed(self) -> bool:
        """Whether the peer's close_notify was read."""

    @property
    def pending(self) -> bool:
        """Whether records are left that were not read."""

    def feed(self, data: bytes | memoryview, /) -> None:
        """These bytes came from the peer."""

    def handshake(self, data: bytes | memoryview = b"", /) -> Handshakes | None:
        """Go on with the handshake, with these bytes of the peer; None if it waits for more. Raises TlsError."""

    def read(self) -> bytes:
        """All plain text of the complete records that were fed. Raises TlsError if one is not valid."""

    def write(self, data: bytes | memoryview, /) -> None:
        """Encrypt. Raises TlsError."""

    def close(self) -> None:
        """Write close_notify, once."""

    def pull(self) -> bytes:
        """The records that are to be sent, each once."""

    def last(self, data: bytes | memoryview, /) -> bytes:
        """Encrypt, write close_notify, and return the records that are to be sent. Raises TlsError."""


class Unstarted:
    """Stands for the TLS of a connection that is not encrypted yet."""

    sni = alpn = client_name = b""
    peer_closed = pending = False

    def pull(self) -> bytes:
        """Return nothing: there are no records."""
        return b""


UNSTARTED: Final = cast(Channel, Unstarted())  # as far as it is used before there is a handshake


class UpstreamTls(Protocol):
    """The TLS of an upstream: of connections that are made to it."""

    def channel(self) -> Channel:
        """The TLS of a new connection, as the client."""

    def failed(self, reason: str, /) -> None:
        """A handshake failed: for the log."""


class ListenerTls(Protocol):
    """The TLS of a listener."""

    @property
    def at_once(self) -> bool:
        """Whether the handshake comes first, and not at a step."""

    @property
    def handshake_timeout(self) -> float:
        """Seconds from accept, within which the handshake has to be complete."""

    def channel(self) -> Channel:
        """The TLS of a new connection, by the certificates of now."""

    def failed(self, reason: str, /) -> None:
        """A handshake failed: for the log."""
