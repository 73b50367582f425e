"""TLS of a listener: what may be wrong with it, and its settings."""

import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from answerback.language import bounds, durations
from answerback.language.context import Checking, Linting
from answerback.language.fields import Field, Time, Where, describe
from answerback.language.pem import authorities_of, check_one
from answerback.language.problems import quoted, step_into
from answerback.language.traverse import messages
from answerback.tls.contexts import Settings, check_ciphers
from answerback.v1 import config_pb2 as v1

# Rule: nothing here reads a file: see `tls_files`.

DEFAULTS: Final = Settings()
MAX_SNI: Final = 64  # certificates of a listener beside its own
MAX_ALPN: Final = 32
MAX_ALPN_BYTES: Final = 255  # of one protocol (RFC 7301, 3.1)
MAX_PATH: Final = 4096  # PATH_MAX

SERVER_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
VERSIONS: Final[Mapping[int, ssl.TLSVersion]] = {
    v1.Tls.VERSION_UNSPECIFIED: DEFAULTS.min_version,
    v1.Tls.VERSION_TLS_1_2: ssl.TLSVersion.TLSv1_2,
    v1.Tls.VERSION_TLS_1_3: ssl.TLSVersion.TLSv1_3,
}
CERT_PEM: Final = r'"-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"'
KEY_PEM: Final = r'"-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n"'
MISSING_CERT: Final = "missing: give it, or `cert_pem`"
MISSING_KEY: Final = "missing: give it, or `key_pem`"
_PAIR: Final = "cert: server.crt, key: server.key"

FIELDS: Final = describe(
    v1.Tls,
    Where.LISTENER,
    cert=Field(f"tls: {{{_PAIR}}}", words="a path, at most 4096 bytes; through the API, of a file under `--files`"),
    key=Field(f"tls: {{{_PAIR}}}", words="as `cert`; it belongs to the first certificate in `cert`"),
    cert_pem=Field(f"tls: {{cert_pem: {CERT_PEM}, key: server.key}}", words="PEM; either this or `cert`"),
    key_pem=Field(f"tls: {{cert: server.crt, key_pem: {KEY_PEM}}}", words="PEM; either this or `key`"),
    client_ca_pem=Field(f"tls: {{{_PAIR}, client_ca_pem: {CERT_PEM}}}", default="none", words="PEM"),
    client_ca=Field(f"tls: {{{_PAIR}, client_ca: ca.crt}}", default="none", words="as `cert`"),
    client_certificate=Field(
        f"tls: {{{_PAIR}, client_ca: ca.crt, client_certificate: OPTIONAL}}", default="`REQUIRED` with `client_ca`"
    ),
    min_version=Field(f"tls: {{{_PAIR}, min_version: TLS_1_3}}", default="`TLS_1_2`"),
    ciphers=Field(
        f"tls: {{{_PAIR}, ciphers: ECDHE+AESGCM}}",
        default="OpenSSL's own choice",
        words="`DEFAULT@SECLEVEL=0` also accepts weak keys",
    ),
    alpn=Field(
        f"tls: {{{_PAIR}, alpn: [h2, http/1.1]}}", default="none", words=f"at most {MAX_ALPN}, each 1 to 255 bytes"
    ),
    handshake_timeout=Time(
        f"tls: {{{_PAIR}, handshake_timeout: 2s}}",
        default="`10s`",
        most=bounds.MAX_DELAY,
        zero="must be more than 0: a client that says nothing would keep its connection",
    ),
    start=Field(f"tls: {{{_PAIR}, start: ON_STEP}}", default="`AT_ONCE`"),
    sni=Field(
        f"tls: {{{_PAIR}, sni: [{{name: b.test, cert: b.crt, key: b.key}}]}}",
        default="none",
        words=f"at most {MAX_SNI}",
    ),
)
SNI: Final = describe(
    v1.Tls.Sni,
    Where.LISTENER,
    name=Field(
        f'tls: {{{_PAIR}, sni: [{{name: "*.b.test", cert: b.crt, key: b.key}}]}}',
        words="a host name without a final dot; unique",
    ),
    cert=Field(f"tls: {{{_PAIR}, sni: [{{name: b.test, cert: b.crt, key: b.key}}]}}", words="as `cert` of `tls`"),
    key=Field(f"tls: {{{_PAIR}, sni: [{{name: b.test, cert: b.crt, key: b.key}}]}}", words="as `key` of `tls`"),
    cert_pem=Field(
        f"tls: {{{_PAIR}, sni: [{{name: b.test, cert_pem: {CERT_PEM}, key: b.key}}]}}", words="as `cert_pem` of `tls`"
    ),
    key_pem=Field(
        f"tls: {{{_PAIR}, sni: [{{name: b.test, cert: b.crt, key_pem: {KEY_PEM}}}]}}", words="as `key_pem` of `tls`"
    ),
)


def check_tls(given: v1.Tls, path: str, checking: Checking) -> None:
    """Report what is wrong with it, except for the content of files."""
    FIELDS.check(given, path, checking)
    check_one(given, "client_ca", path, checking)
    _check_pair(given, path, checking)
    for index, each in enumerate(given.sni[:MAX_SNI]):
        _check_pair(each, f"{path}.sni[{index}]", checking)
    for name, kind in (
        ("client_certificate", v1.Tls.ClientCertificate),
        ("min_version", v1.Tls.Version),
        ("start", v1.Tls.Start),
    ):
        bounds.enum(kind.DESCRIPTOR, getattr(given, name), step_into(path, name), checking.problems)
    if given.client_certificate and not authorities_of(given).given:
        checking.add(step_into(path, "client_ca"), "missing: it has the authorities of client certificates")
    if given.ciphers and (wrong := check_ciphers(given.ciphers)):
        checking.add(step_into(path, "ciphers"), f"{quoted(given.ciphers)}: {wrong}")
    check_alpn(given.alpn, step_into(path, "alpn"), checking)
    _check_names(given, step_into(path, "sni"), checking)


def _check_pair(given: v1.Tls | v1.Tls.Sni, path: str, checking: Checking) -> None:
    check_one(given, "cert", path, checking, required=MISSING_CERT)
    check_one(given, "key", path, checking, required=MISSING_KEY)


def check_steps(listener: v1.Listener, path: str, checking: Checking) -> None:
    """Report steps that begin TLS where none can begin."""
    if listener.tls.start == v1.Tls.START_ON_STEP:
        return
    for here, message in messages(listener, path):
        if isinstance(message, v1.Step) and message.WhichOneof("kind") == "start_tls":
            checking.add(step_into(here, "start_tls"), "the listener needs `tls: {…, start: ON_STEP}`")


def lint_tls(listener: v1.Listener, linting: Linting) -> None:
    """Report TLS that never begins."""
    if listener.tls.start != v1.Tls.START_ON_STEP:
        return
    steps = (message for _, message in messages(listener) if isinstance(message, v1.Step))
    if not any(step.WhichOneof("kind") == "start_tls" for step in steps):
        why = "TLS never begins: no rule has the step start_tls; without ON_STEP it begins with the connection"
        linting.add(f"{linting.path}.tls.start", why)


def check_alpn(protocols: Sequence[str], path: str, checking: Checking) -> None:
    """Report what is wrong with a list of protocols."""
    if len(protocols) > MAX_ALPN:
        checking.add(path, f"{len(protocols)} protocols; the maximum is {MAX_ALPN}")
    for index, protocol in enumerate(protocols[:MAX_ALPN]):
        if not (protocol.isascii() and 0 < len(protocol) <= MAX_ALPN_BYTES):
            checking.add(f"{path}[{index}]", f"1 to {MAX_ALPN_BYTES} ASCII characters, not {quoted(protocol)}")


def _check_names(given: v1.Tls, path: str, checking: Checking) -> None:
    if len(given.sni) > MAX_SNI:
        checking.add(path, f"{len(given.sni)} certificates; the maximum is {MAX_SNI}")
    first: dict[str, int] = {}
    for index, each in enumerate(given.sni[:MAX_SNI]):
        name, here = each.name.lower(), f"{path}[{index}].name"
        if name and not SERVER_NAME.fullmatch(name):
            checking.add(here, f"a host name such as www.example.com or *.example.com, not {quoted(each.name)}")
        elif first.setdefault(name, index) != index:
            checking.add(here, f"{quoted(each.name)} is already the name of sni[{first[name]}]")


def compile_settings(given: v1.Tls) -> Settings:
    """Return what it says beside its files, defaults filled in."""
    timeout = durations.seconds(given.handshake_timeout) if given.HasField("handshake_timeout") else None
    mode = ssl.CERT_NONE
    if authorities_of(given).given:
        optional = given.client_certificate == v1.Tls.CLIENT_CERTIFICATE_OPTIONAL
        mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
    return Settings(
        min_version=VERSIONS[given.min_version],
        ciphers=given.ciphers,
        alpn=tuple(given.alpn),
        client_certificate=mode,
        names=tuple(each.name for each in given.sni),
        handshake_timeout=DEFAULTS.handshake_timeout if timeout is None else timeout,
        at_once=given.start != v1.Tls.START_ON_STEP,
    )
