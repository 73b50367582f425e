"""TLS with an upstream: what may be wrong with it, and its settings."""

import ipaddress
from typing import Final

from answerback.language import bounds
from answerback.language.context import Checking
from answerback.language.fields import Field, Where, describe
from answerback.language.pem import SUFFIX, authorities_of, check_one
from answerback.language.problems import quoted, step_into
from answerback.language.tls import CERT_PEM, KEY_PEM, MAX_ALPN, SERVER_NAME, VERSIONS, check_alpn
from answerback.tls.client import ClientSettings
from answerback.v1 import config_pb2 as v1

# Rule: nothing here reads a file: see `tls_files`.

_TO: Final = "address: redis.example:6380, tls: "
FIELDS: Final = describe(
    v1.UpstreamTls,
    Where.LISTENER,
    ca=Field(
        f"upstream: {{{_TO}{{ca: ca.crt}}}}",
        default="those of the machine",
        words="a path, at most 4096 bytes; through the API, of a file under `--files`",
    ),
    server_name=Field(f"upstream: {{{_TO}{{server_name: cache.example}}}}", default="the host of `address`"),
    verify=Field(f"upstream: {{{_TO}{{verify: CA}}}}", default="`FULL`"),
    cert=Field(f"upstream: {{{_TO}{{cert: own.crt, key: own.key}}}}", default="none", words="as `ca`"),
    key=Field(
        f"upstream: {{{_TO}{{cert: own.crt, key: own.key}}}}",
        default="none",
        words="as `ca`; it belongs to the first certificate in `cert`",
    ),
    ca_pem=Field(f"upstream: {{{_TO}{{ca_pem: {CERT_PEM}}}}}", default="none", words="PEM; either this or `ca`"),
    cert_pem=Field(
        f"upstream: {{{_TO}{{cert_pem: {CERT_PEM}, key: own.key}}}}",
        default="none",
        words="PEM; either this or `cert`",
    ),
    key_pem=Field(
        f"upstream: {{{_TO}{{cert: own.crt, key_pem: {KEY_PEM}}}}}", default="none", words="PEM; either this or `key`"
    ),
    min_version=Field(f"upstream: {{{_TO}{{min_version: TLS_1_3}}}}", default="`TLS_1_2`"),
    alpn=Field(f"upstream: {{{_TO}{{alpn: [h2]}}}}", default="none", words=f"at most {MAX_ALPN}, each 1 to 255 bytes"),
)


def check_upstream_tls(given: v1.UpstreamTls, host: str, path: str, checking: Checking) -> None:
    """Report what is wrong with it, except for the content of files. `host`: that of the address, if it has one."""
    FIELDS.check(given, path, checking)
    for name, kind in (("verify", v1.UpstreamTls.Verify), ("min_version", v1.Tls.Version)):
        bounds.enum(kind.DESCRIPTOR, getattr(given, name), step_into(path, name), checking.problems)
    if given.server_name:
        if not _is_name(given.server_name):
            why = f"a host name such as cache.example, or an IP address, not {quoted(given.server_name)}"
            checking.add(step_into(path, "server_name"), why)
    elif not host and given.verify in {v1.UpstreamTls.VERIFY_UNSPECIFIED, v1.UpstreamTls.VERIFY_FULL}:
        why = "missing: a Unix socket has no name to verify. Give one, or `verify: CA`"
        checking.add(step_into(path, "server_name"), why)
    for name, other in (("cert", "key"), ("key", "cert")):
        needed = getattr(given, name) or getattr(given, name + SUFFIX)
        check_one(given, other, path, checking, required=f"missing: `{name}` needs it" if needed else "")
    check_one(given, "ca", path, checking)
    if authorities_of(given).given and given.verify == v1.UpstreamTls.VERIFY_NONE:
        checking.add(step_into(path, authorities_of(given).place), "does nothing with `verify: NONE`")
    check_alpn(given.alpn, step_into(path, "alpn"), checking)


def _is_name(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(SERVER_NAME.fullmatch(name)) and not name.startswith("*")
    return True


def compile_client(given: v1.UpstreamTls, host: str) -> ClientSettings:
    """Return what it says beside its files, defaults filled in. `host`: that of the address, if it has one."""
    return ClientSettings(
        server_name=given.server_name or host.removesuffix(".") or None,
        verify=given.verify != v1.UpstreamTls.VERIFY_NONE,
        verify_name=given.verify != v1.UpstreamTls.VERIFY_CA,
        min_version=VERSIONS[given.min_version],
        alpn=tuple(given.alpn),
    )
