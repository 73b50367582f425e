"""Certificates in memory, from one authority, for tests without files."""

import ssl
from functools import cache
from pathlib import Path
from typing import Any

import trustme

from answerback.tls.contexts import ServerTls, Settings
from answerback.tls.material import Material
from answerback.tls.pairs import private
from answerback.tls.private_files import PrivateFile

# Rule: keys take time to make: each is made once in a run.


@cache
def authority(number: int) -> trustme.CA:
    """The authority of all certificates; another one for another number."""
    return trustme.CA(organization_name=f"authority {number}")


@cache
def issued(*names: str, of: int = 0, common_name: str | None = None) -> trustme.LeafCert:
    """A certificate for these names, made once."""
    return authority(of).issue_cert(*names, common_name=common_name)


def pair(*names: str) -> tuple[PrivateFile, PrivateFile]:
    """A certificate and its key, as they are read."""
    leaf = issued(*(names or ("localhost",)))
    chain = b"".join(each.bytes() for each in leaf.cert_chain_pems)
    return private(Path("cert"), chain), private(Path("key"), leaf.private_key_pem.bytes())


def client_ca() -> PrivateFile:
    """The authority, as a file of authorities of clients."""
    return private(Path("ca"), authority(0).cert_pem.bytes())


def server(*, more: tuple[str, ...] = (), clients: bool = False, **settings: Any) -> ServerTls:
    """The TLS of a listener, with a certificate for `localhost` and further ones for `more`."""
    if clients:
        settings.setdefault("client_certificate", ssl.CERT_REQUIRED)
    material = Material((pair(), *(pair(name) for name in more)), client_ca() if clients else None)
    return ServerTls("it", Settings(names=more, **settings), material)


def client(*, version: ssl.TLSVersion | None = None, **given: Any) -> ssl.SSLContext:
    """The context of a client that trusts the authority. `own`: its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority(0).configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if "alpn" in given:
        context.set_alpn_protocols(given["alpn"])
    if "own" in given:
        given["own"].configure_cert(context)
    return context
