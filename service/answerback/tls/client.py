"""The TLS of an upstream: its settings, and the context of connections that are made to it."""

import ssl
from dataclasses import dataclass, field

from answerback.tls.channel import ClientChannel
from answerback.tls.failure_log import FailureLog
from answerback.tls.material import Material
from answerback.tls.pairs import load_pair, trust

# Rule: a context does not change once it is used: other files are another context, for new connections.
# Rule: a session is resumed with the context that it is from: what was verified then is what is verified now.


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What an upstream's `tls` says beside its files."""

    server_name: str | None = None
    """The name to ask for, and to verify; None if the address has none."""
    verify: bool = True
    """Whether the certificate has to be of a trusted authority, and valid now."""
    verify_name: bool = True
    """Whether it also has to be for `server_name`."""
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    alpn: tuple[str, ...] = ()


def client_context(settings: ClientSettings, material: Material) -> ssl.SSLContext:
    """Make the context. Raises BadFile."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = settings.verify and settings.verify_name
    context.verify_mode = ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE
    context.minimum_version = settings.min_version
    context.options |= ssl.OP_NO_RENEGOTIATION
    if settings.alpn:
        context.set_alpn_protocols(settings.alpn)
    if material.ca is not None:
        trust(context, material.ca)
    elif settings.verify:
        context.load_default_certs()
    for certificate, key in material.pairs:
        load_pair(context, certificate, key)
    return context


@dataclass(slots=True)
class ClientTls:
    """The TLS of an upstream. See `core.tls.UpstreamTls`."""

    name: str
    """The listener's."""
    settings: ClientSettings
    material: Material
    _context: ssl.SSLContext = field(init=False, repr=False, compare=False)
    _session: ssl.SSLSession | None = field(init=False, repr=False, compare=False, default=None)
    """The last one that the upstream let us resume; of this context."""
    _failures: FailureLog = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the context. Raises BadFile."""
        self._context = client_context(self.settings, self.material)
        self._failures = FailureLog("a TLS handshake with the upstream failed", self.name)

    def load(self, material: Material) -> None:
        """Use other files for new connections. Raises BadFile; then the former ones stay."""
        self._context, self.material, self._session = client_context(self.settings, material), material, None

    def channel(self) -> ClientChannel:
        """The TLS of a new connection."""
        context = self._context

        def keep(session: ssl.SSLSession) -> None:
            if context is self._context:
                self._session = session

        name = self.settings.server_name
        return ClientChannel(context, name, self._session, keep)

    def failed(self, reason: str, /) -> None:
        """Log that a handshake failed, at most once in a second. The next one is a full one."""
        self._session = None
        self._failures.add(reason)
