"""The admin API's protection, read and tested at startup; without it the API is not exposed to other machines."""

# Rule: loopback and Unix sockets need no protection; any other address does, or an explicit option to do without.

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import grpc

from answerback.control import tokens
from answerback.control.address import Address
from answerback.control.authorisation import Tokens
from answerback.control.certificates import CertificateFiles, Certificates
from answerback.control.tokens import TokenFile
from answerback.supervisor import StartError
from answerback.tls.private_files import BadFile

F = TypeVar("F")
T = TypeVar("T")

UNGUARDED: Final = (
    "--admin {}: the admin API would be reachable from other machines without authentication; "
    "give it --token-file, or --admin-cert, --admin-key and --admin-client-ca; "
    "or keep it on loopback (127.0.0.1:50051) or a Unix socket (unix:/run/answerback.sock); "
    "or give --admin-insecure if the network itself is closed"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The protection options of `serve`; the names are those of the options."""

    admin_cert: Path | None = None
    admin_key: Path | None = None
    admin_client_ca: Path | None = None
    token_file: Path | None = None
    read_token_file: Path | None = None
    read_token_journal: bool = False
    admin_insecure: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the server requires of clients."""

    tokens: Tokens
    server: grpc.ServerCredentials | None
    """None without TLS."""


def load(given: Protection, address: Address) -> Credentials:
    """Read all credentials. Raises StartError with everything that is wrong or missing."""
    problems = _halves(given)

    def loaded(what: str, make: Callable[[F], T], files: F | None) -> T | None:
        try:
            return None if files is None else make(files)
        except BadFile as error:
            problems.append(f"{what} {error}")
            return None

    full = loaded("--token-file", TokenFile, given.token_file)
    reading = loaded("--read-token-file", TokenFile, given.read_token_file)
    certificates = loaded("TLS of the admin API:", Certificates, _files(given))
    if full and given.read_token_file and reading and full.fits(tokens.read(given.read_token_file)):
        problems.append("--read-token-file: it must differ from the token of --token-file, which has full access")
    problems += _exposed(given, address)
    if problems:
        raise StartError("\n".join(problems))
    return Credentials(
        Tokens(full, reading, given.read_token_journal), certificates.credentials() if certificates else None
    )


def _files(given: Protection) -> CertificateFiles | None:
    if given.admin_cert is None or given.admin_key is None:
        return None
    return CertificateFiles(given.admin_cert, given.admin_key, given.admin_client_ca)


def _halves(given: Protection) -> list[str]:
    """Return the options that are useless without another one."""
    if (given.admin_cert is None) != (given.admin_key is None):
        return ["--admin-cert and --admin-key must be used together"]
    if given.read_token_journal and given.read_token_file is None:
        return ["--read-token-journal requires --read-token-file"]
    if given.admin_client_ca and given.admin_cert is None:
        return ["--admin-client-ca requires --admin-cert and --admin-key"]
    return []


def _exposed(given: Protection, address: Address) -> list[str]:
    """Return why the address must not be open to others; further warnings go to the log."""
    asks_for_token = bool(given.token_file or given.read_token_file)
    if address.private:
        return []
    if asks_for_token and not given.admin_cert:
        log.warning("tokens would be sent in clear text: set --admin-cert and --admin-key")
    if asks_for_token or given.admin_client_ca:
        return []
    if not given.admin_insecure:
        return [UNGUARDED.format(address.text)]
    log.warning(
        "the admin API at %s has no authentication: anyone who reaches it has full control of the server", address.text
    )
    return []
