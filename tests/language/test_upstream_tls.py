"""The field `tls` of an upstream: what may be wrong with it and its files, and what it means."""

import ssl
from pathlib import Path

import pytest

from answerback.language.check import check
from answerback.language.tls_files import read_materials, with_absolute_paths
from answerback.language.upstream_tls import compile_client
from answerback.tls.client import ClientSettings
from answerback.v1 import config_pb2 as v1
from tests.certifying import Authority
from tests.language.configurations import listener, said

AT = "listeners[0].upstream.tls"


def config_of(text: str, address: str = "redis.example:6380") -> v1.Config:
    return listener(f"upstream: {{address: '{address}', tls: {{{text}}}}}")


@pytest.mark.parametrize(
    "text, problem",
    [
        ("cert: a.crt", f"{AT}.key: missing: `cert` needs it"),
        ("key: a.key", f"{AT}.cert: missing: `key` needs it"),
        ("ca: a.crt, verify: NONE", f"{AT}.ca: does nothing with `verify: NONE`"),
        ('alpn: [""]', f"{AT}.alpn[0]: 1 to 255 ASCII characters, not ''"),
        (
            'server_name: "*.a.test"',
            f"{AT}.server_name: a host name such as cache.example, or an IP address, not '*.a.test'",
        ),
    ],
)
def test_wrong_field_is_rejected(text: str, problem: str) -> None:
    assert said(check(config_of(text), {})) == [problem]


def test_unix_socket_needs_a_name_to_verify() -> None:
    missing = f"{AT}.server_name: missing: a Unix socket has no name to verify. Give one, or `verify: CA`"
    assert said(check(config_of("", "unix:/a"), {})) == [missing]
    assert said(check(config_of("verify: FULL", "unix:/a"), {})) == [missing]
    for text in ("verify: CA", "verify: NONE", "server_name: a.test"):
        assert said(check(config_of(text, "unix:/a"), {})) == []


def test_everything_is_verified_by_default() -> None:
    config = config_of("")
    assert config.listeners[0].upstream.HasField("tls")
    found = compile_client(config.listeners[0].upstream.tls, "redis.example.")
    assert found == ClientSettings(server_name="redis.example", verify=True, verify_name=True)


def test_fields_are_compiled() -> None:
    given = config_of("server_name: 192.0.2.1, verify: CA, min_version: TLS_1_3, alpn: [h2]").listeners[0].upstream.tls
    assert compile_client(given, "a.test") == ClientSettings(
        server_name="192.0.2.1", verify_name=False, min_version=ssl.TLSVersion.TLSv1_3, alpn=("h2",)
    )
    assert not compile_client(config_of("verify: NONE").listeners[0].upstream.tls, "a.test").verify


def test_files_are_read_beside_those_of_the_listener(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue()
    pair = f"cert: {issued.certificate.name}, key: {issued.key.name}"
    ca = authority.certificate.name
    config = listener(f"tls: {{{pair}}}\nupstream: {{address: 'a:1', tls: {{{pair}, ca: {ca}}}}}")
    materials, problems = read_materials(with_absolute_paths(config, tmp_path), {})
    assert problems == []
    own, to_upstream = materials.values()
    assert own.ca is None
    assert to_upstream.ca is not None
    assert to_upstream.ca.content == authority.certificate.read_bytes()
    assert to_upstream.pairs == own.pairs


def test_wrong_files_are_rejected(tmp_path: Path) -> None:
    issued, other = Authority(tmp_path).issue(), Authority(tmp_path, "other").issue()

    def problems(text: str) -> list[str]:
        return said(read_materials(config_of(text), {})[1])

    assert problems("ca: /nothing") == [f"{AT}.ca: cannot be used: /nothing: No such file or directory"]
    assert problems(f"ca: {issued.key}") == [f"{AT}.ca: cannot be used: {issued.key}: contains no PEM certificate"]
    (problem,) = problems(f"cert: {issued.certificate}, key: {other.key}")
    assert problem.startswith(f"{AT}.key: cannot be used: {other.key}: does not belong to the first certificate")
