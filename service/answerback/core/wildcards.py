"""Where to connect for what listens on all addresses of a machine."""

from typing import Final

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - is connected to, not bound


def destination(host: str) -> str:
    """The host to connect to, on this machine, for a listening host without brackets: loopback for all addresses."""
    return _LOOPBACK.get(host, host)
