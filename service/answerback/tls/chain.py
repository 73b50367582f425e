"""Whether the certificates of a file are in order: each is signed by the one behind it (RFC 5246, 7.4.2)."""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# Rule: this has no opinion on what it cannot read: OpenSSL has loaded the file already, or will say why it cannot.

PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
LONG: Final = 0x80  # of a length in DER: the bytes of the length itself follow
VERSION: Final = 0xA0  # the tag of a certificate's first field, which may be missing


@dataclass(frozen=True, slots=True)
class Names:
    """Whose certificate it is, and who has signed it, in DER."""

    subject: bytes
    issuer: bytes


def misplaced(content: bytes) -> str:
    """What is wrong with the order of the certificates in a PEM file; empty if nothing is."""
    try:
        names = [_names_of(ssl.PEM_cert_to_DER_cert(each)) for each in PEM.findall(content.decode("ascii"))]
    except (ValueError, IndexError):
        return ""
    for number, (signed, following) in enumerate(pairwise(names), start=1):
        if signed.issuer in (following.subject, signed.subject):
            continue
        signer = next((place for place, each in enumerate(names, start=1) if each.subject == signed.issuer), 0)
        if signer:
            return f"certificate {signer} in it has signed certificate {number}: put it right behind that one"
    return ""


def _names_of(der: bytes) -> Names:
    """Read the names of a certificate (RFC 5280, 4.1). Raises IndexError if it ends too early."""
    (_, certificate), *_ = _elements(der)
    (_, signed), *_ = _elements(certificate)
    fields = [value for tag, value in _elements(signed) if tag != VERSION]
    return Names(subject=fields[4], issuer=fields[2])


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each element, one behind the other."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & LONG:
            size = length & ~LONG
            length = int.from_bytes(der[at : at + size])
            at += size
        yield tag, der[at : at + length]
        at += length
