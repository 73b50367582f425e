"""Certificates for tests: good ones, and ones that are wrong in one way each. Only this module needs `cryptography`."""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Rule: the keys of the authorities are never written: nothing else can be signed for a client that trusts `ca.crt`.
# Rule: a certificate is wrong in the way its name says, and in no other.

LOCAL: Final = ("localhost", "127.0.0.1", "::1")
ANOTHER_NAME: Final = "wrong.example"  # RFC 2606 reserves it
SKEW: Final = timedelta(hours=1)  # by which a client's clock may be slow
DAY: Final = timedelta(days=1)
RSA_BITS: Final = 2048
WEAK_RSA_BITS: Final = (
    1024  # 80 bits of security; OpenSSL's level 2, which Python and most distributions use, needs 112
)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    name: str
    """Of its files, without .crt and .key."""
    meaning: str
    error: str
    """The error of a client with OpenSSL 3 that trusts `ca.crt` alone; empty if there is none."""
    certificate: bytes
    """PEM."""
    key: bytes | None
    """PEM (PKCS #8), without a passphrase; None for an authority."""


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: Key


@dataclass(frozen=True, slots=True)
class _Period:
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class _Draft:
    """The content of a certificate; the good one's, until something is replaced."""

    names: Sequence[str]
    valid: _Period
    signer: _Authority | None
    """None: itself."""
    make_key: Callable[[], Key]
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH


def issue(names: Sequence[str], now: datetime, days: int) -> Iterator[Issued]:
    """Make the certificates for these host names and addresses, valid from `now`, a time with a zone, for some days.

    The names are ASCII; an address is one that `ipaddress` knows.
    """
    now = now.astimezone(UTC).replace(microsecond=0)
    valid = _Period(now - SKEW, now + timedelta(days=days))
    authority = _authority("Answerback test CA", valid)
    good = _Draft(names, valid, authority, _ecdsa)
    yield Issued("ca", "the authority that clients trust", "", _pem(authority.certificate), None)
    yield _issued("localhost", f"good: ECDSA P-256, for {', '.join(names)}", "", good)
    yield _issued("localhost-rsa", f"good: RSA {RSA_BITS}, for the same names", "", replace(good, make_key=_rsa))
    client = replace(good, names=("client",), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    yield _issued("client", "good, for a client: ECDSA P-256", "", client)
    yield from _wrong(good, authority)


def _wrong(good: _Draft, authority: _Authority) -> Iterator[Issued]:
    valid = good.valid
    length = valid.end - valid.begin
    past, future = _Period(valid.begin - length - DAY, valid.begin - DAY), _Period(valid.end, valid.end + length)
    yield _issued("expired", "expired a day ago", "certificate has expired", replace(good, valid=past))
    meaning = "valid from the moment at which the others expire"
    yield _issued("not-yet-valid", meaning, "certificate is not yet valid", replace(good, valid=future))
    yield _issued("wrong-name", f"for {ANOTHER_NAME}", "hostname mismatch", replace(good, names=(ANOTHER_NAME,)))
    yield _issued("self-signed", "signed by its own key", "self-signed certificate", replace(good, signer=None))
    unknown = "unable to get local issuer certificate"
    stranger = _authority("Answerback unknown CA", valid)
    yield _issued("unknown-ca", "signed by an authority not in ca.crt", unknown, replace(good, signer=stranger))
    weak = replace(good, make_key=lambda: _rsa(WEAK_RSA_BITS))
    yield _issued("weak-key", f"RSA {WEAK_RSA_BITS}", "EE certificate key too weak", weak)
    between = _authority("Answerback test intermediate CA", valid, authority)
    yield _issued("broken-chain", "without intermediate.crt, which signed it", unknown, replace(good, signer=between))
    yield Issued("intermediate", "what broken-chain.crt lacks", "", _pem(between.certificate), None)


def _authority(name: str, valid: _Period, signer: _Authority | None = None) -> _Authority:
    key = _ecdsa()
    path_length = 0 if signer else 1
    certificate = (
        _begun(_named(name), key, valid, signer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(key, certificates=True), critical=True)
        .sign(signer.key if signer else key, hashes.SHA256())
    )
    return _Authority(certificate, key)


def _issued(name: str, meaning: str, error: str, draft: _Draft) -> Issued:
    key = draft.make_key()
    certificate = (
        _begun(_named(draft.names[0]), key, draft.valid, draft.signer)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(key, certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([draft.usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(_general_name, draft.names))), critical=False)
        .sign(draft.signer.key if draft.signer else key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Issued(name, meaning, error, _pem(certificate), private)


def _begun(subject: x509.Name, key: Key, valid: _Period, signer: _Authority | None) -> x509.CertificateBuilder:
    """What all certificates have; RFC 5280 wants the identifiers of the keys, and Python 3.13 checks them."""
    issuer_key = (signer.key if signer else key).public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid.begin)
        .not_valid_after(valid.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(key: Key, *, certificates: bool) -> x509.KeyUsage:
    """For an authority: to sign certificates. For others: to sign handshakes, or with RSA to decrypt keys (TLS 1.2)."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=isinstance(key, rsa.RSAPrivateKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _ecdsa() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _rsa(bits: int = RSA_BITS) -> Key:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
