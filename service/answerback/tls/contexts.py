"""The TLS of a listener: its settings, and a context of OpenSSL for each certificate."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from answerback.tls.channel import ServerChannel
from answerback.tls.failure_log import FailureLog
from answerback.tls.material import Material
from answerback.tls.pairs import load_pair, trust

# Rule: contexts do not change once they serve: other certificates are other contexts, for new handshakes.

WEAK_INSTEAD: Final = "use RSA with 2048 bits or more, or ECDSA, or serve it anyway by `ciphers: DEFAULT@SECLEVEL=0`"
UNKNOWN_CIPHERS: Final = "OpenSSL knows no such ciphers of TLS 1.2: see `openssl ciphers -s -tls1_2 'LIST'`"
TICKETS: Final = 1  # of TLS 1.3 behind a full handshake: each takes some 5 to 10 % of its CPU


@dataclass(frozen=True, slots=True)
class Settings:
    """What a listener's `tls` says beside its files."""

    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    ciphers: str = ""
    """Those of TLS 1.2; empty: OpenSSL's own choice."""
    alpn: tuple[str, ...] = ()
    client_certificate: ssl.VerifyMode = ssl.CERT_NONE
    names: tuple[str, ...] = ()
    """The names of the further certificates, in order."""
    handshake_timeout: float = 10.0
    at_once: bool = True
    """Whether the handshake comes first, and not at a step."""


class Contexts:
    """One context for each certificate; a client gets the one for the name that it asks for."""

    def __init__(self, settings: Settings, material: Material) -> None:
        """Raises BadFile."""
        self._by_name = {
            name.lower(): _context(settings, material, index) for index, name in enumerate(settings.names, start=1)
        }
        self.first: Final = _context(settings, material, 0)
        """That of clients that ask for another name, or for none."""
        # The channel is the connection's owner.
        self.first.sni_callback = self._choose if self._by_name else _note  # type: ignore[assignment]

    def _choose(self, connection: ServerChannel, name: str | None, _context: ssl.SSLContext) -> None:
        """A client asks for a name, or for none."""
        if name:
            chosen = self.named(name)
            connection.ask_for(name, None if chosen is self.first else chosen)

    def named(self, name: str) -> ssl.SSLContext:
        """Return the context for a server name: by the whole name, or for all names with the same end."""
        lower = name.lower().rstrip(".")
        _, _, parent = lower.partition(".")
        return self._by_name.get(lower) or self._by_name.get(f"*.{parent}") or self.first


def _note(connection: ServerChannel, name: str | None, _context: ssl.SSLContext) -> None:
    """A client asks for a name, or for none, and there is one certificate."""
    if name:
        connection.server_name = name


def _context(settings: Settings, material: Material, index: int) -> ssl.SSLContext:
    """Make the context of one certificate: 0 for the first, N for the Nth of `sni`. Raises BadFile."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = settings.min_version
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = TICKETS
    if settings.ciphers:
        context.set_ciphers(settings.ciphers)
    if settings.alpn:
        context.set_alpn_protocols(settings.alpn)
    if material.ca is not None:
        trust(context, material.ca)
        context.verify_mode = settings.client_certificate
    certificate, key = material.pairs[index]
    load_pair(context, certificate, key, WEAK_INSTEAD)
    return context


@dataclass(slots=True)
class ServerTls:
    """The TLS of a listener. See `core.tls.ListenerTls`."""

    name: str
    """The listener's."""
    settings: Settings
    material: Material
    handshake_timeout: float = field(init=False, repr=False, compare=False)
    """Seconds."""
    at_once: bool = field(init=False, repr=False, compare=False)
    """Whether the handshake comes first."""
    channel: Callable[[], ServerChannel] = field(init=False, repr=False, compare=False)
    """Makes the TLS of a new connection; no function of Python's own, whose call would take longer."""
    _contexts: Contexts = field(init=False, repr=False)
    _failures: FailureLog = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the contexts. Raises BadFile."""
        self.handshake_timeout, self.at_once = self.settings.handshake_timeout, self.settings.at_once
        self.load(self.material)
        self._failures = FailureLog("a TLS handshake failed", self.name)

    def load(self, material: Material) -> None:
        """Use other certificates in new handshakes. Raises BadFile; then the former ones stay."""
        self._contexts, self.material = Contexts(self.settings, material), material
        self.channel = partial(ServerChannel, self._contexts.first)

    def failed(self, reason: str, /) -> None:
        """Log that a handshake failed, at most once in a second."""
        self._failures.add(reason)


def check_ciphers(text: str) -> str:
    """What is wrong with a list of ciphers; empty if OpenSSL takes it."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(text)
    except (ssl.SSLError, ValueError):  # ValueError: a NUL, or what is not UTF-8
        return UNKNOWN_CIPHERS
    return ""
