"""Where a listener relays its connections to."""

from dataclasses import dataclass

from answerback.core.framing import Framing
from answerback.core.tls import UpstreamTls


@dataclass(frozen=True, slots=True)
class Upstream:
    """A TCP port or a Unix socket."""

    host: str
    """A name or an IP address without brackets; empty for a Unix socket."""
    port: int
    path: str
    """The path of a Unix socket; empty for TCP."""
    connect_timeout: float
    """Seconds for the name, the connection and its TLS handshake together."""
    tls: UpstreamTls | None = None
    """None for plain text."""
    header_version: int = 0
    """The version of the PROXY header that a connection begins with; 0 for none."""
    on_forward: bool = False
    """Whether to connect when a request is forwarded, and not at accept."""
    framing: Framing | None = None
    """How its bytes become replies; None to pass them on as they come."""
    max_reply_bytes: int = 1 << 20
    """The longest reply."""

    def __str__(self) -> str:
        """`redis:6379`, `[::1]:6379`, `unix:/run/redis.sock`."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
