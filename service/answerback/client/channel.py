"""A channel to an admin API: its address, token and certificates, and the options of gRPC."""

# Rule: a token goes over TLS, or to this machine.
# Rule: errors never contain a token or a key.

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from answerback.control import address, certificates, tokens
from answerback.tls.private_files import BadFile

File = str | os.PathLike[str]
F = TypeVar("F")
T = TypeVar("T")

OPTIONS: Final[Mapping[str, int]] = {
    # The server bounds its responses: a configuration from a file is as large as the file.
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    # A server that was started again is found within a second; gRPC itself may wait for two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # Each client has a connection of its own, which ends with it.
    "grpc.use_local_subchannel_pool": 1,
}
NO_PROXY: Final = "grpc.enable_http_proxy"  # what is for this machine stays on it, whatever `http_proxy` says


class BadCredentials(ValueError):
    """A token or a certificate cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An address and the credentials for it. Raises BadCredentials when it is used and they cannot be."""

    server: str
    token: str = field(default="", repr=False)
    token_file: File | None = None
    ca: File | None = None
    cert: File | None = None
    key: File | None = None
    spelled: Callable[[str], str] = str
    """Return the name of a parameter as errors write it."""

    @property
    def tls(self) -> bool:
        """Whether the connection uses TLS."""
        return bool(self.ca or self.cert or self.key)

    @property
    def private(self) -> bool:
        """Whether only this machine can be reached there."""
        try:
            return address.parse(self.server).private
        except ValueError:  # a name, which a name server resolves
            return False

    def options(self) -> list[tuple[str, Any]]:
        """Return the channel's options."""
        return [*OPTIONS.items(), *([(NO_PROXY, 0)] if self.private else [])]

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what every call carries: the token."""
        token = self.token
        if self.token_file:
            token = self._usable("token_file", tokens.read, Path(self.token_file)).decode("ascii")
        if token and not self.tls and not self.private:
            given = self.spelled("token_file" if self.token_file else "token")
            raise BadCredentials(
                f"refusing to send a token ({given}) to {self.server} in clear text: "
                f"use TLS ({self.spelled('ca')}), loopback or a Unix socket"
            )
        return (("authorization", f"Bearer {token}"),) if token else ()

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return the credentials for TLS; None without."""
        if not self.tls:
            return None
        if (self.cert is None) != (self.key is None):
            raise BadCredentials(f"{self.spelled('cert')} and {self.spelled('key')} must be used together")
        root = self._usable("ca", certificates.read_authority, Path(self.ca)) if self.ca else None
        key = chain = None
        if self.cert and self.key:
            pair = certificates.CertificateFiles(Path(self.cert), Path(self.key))
            chain, key = self._usable("cert", certificates.read_own, pair)
        return grpc.ssl_channel_credentials(root, key, chain)

    def _usable(self, parameter: str, read: Callable[[F], T], files: F) -> T:
        try:
            return read(files)
        except BadFile as error:
            raise BadCredentials(f"{self.spelled(parameter)} {error}") from None
