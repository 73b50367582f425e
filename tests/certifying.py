"""Certificates in files, from an authority of the test."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trustme

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Issued:
    """Paths of PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; what it has to say stands in files of a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self._name = name
        self.certificate = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.certificate)

    def issue(self, file: str = "server", *names: str, **given: Any) -> Issued:
        """A certificate for some names, for loopback unless they are given."""
        leaf = self._authority.issue_cert(*(names or ("127.0.0.1", "::1", "localhost")), **given)
        issued = Issued(self._folder / f"{self._name}-{file}.pem", self._folder / f"{self._name}-{file}.key")
        issued.certificate.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(issued.key)
        issued.key.chmod(0o600)
        return issued


def become(issued: Issued, other: Issued) -> None:
    """Replace the certificate and the key by another's, as a renewal does."""
    for old, new in ((issued.certificate, other.certificate), (issued.key, other.key)):
        fresh = old.with_suffix(".new")
        fresh.write_bytes(new.read_bytes())
        fresh.chmod(0o600)
        fresh.rename(old)
