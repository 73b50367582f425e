"""The field `tls` of a listener: what may be wrong with it beside its files, and what it means."""

import ssl

import pytest

from answerback.language.check import check
from answerback.language.tls import MAX_ALPN, MAX_SNI, compile_settings
from answerback.tls.contexts import UNKNOWN_CIPHERS, Settings
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, said

PAIR = "cert: a.crt, key: a.key"
PEM = r"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
AT = "listeners[0].tls"


def wrong(text: str, more: str = "") -> list[str]:
    return said(check(listener(f"tls: {{{text}}}\n{more}"), {}))


@pytest.mark.parametrize(
    "text, problem",
    [
        ("cert: a.crt", f"{AT}.key: missing: give it, or `key_pem`"),
        ("key: a.key", f"{AT}.cert: missing: give it, or `cert_pem`"),
        (f'cert: a, key: "{PEM}"', f"{AT}.key: that is PEM, and no file name: use `key_pem`"),
        (f'{PAIR}, client_ca: "{PEM}"', f"{AT}.client_ca: that is PEM, and no file name: use `client_ca_pem`"),
        (f"{PAIR}, cert_pem: x", f"{AT}.cert_pem: `cert` is given too: give one of the two"),
        (f"{PAIR}, key_pem: x", f"{AT}.key_pem: `key` is given too: give one of the two"),
        (
            f"{PAIR}, client_ca: x, client_ca_pem: x",
            f"{AT}.client_ca_pem: `client_ca` is given too: give one of the two",
        ),
        (f"{PAIR}, sni: [{{name: b.test, key: x}}]", f"{AT}.sni[0].cert: missing: give it, or `cert_pem`"),
        (
            f"{PAIR}, client_certificate: REQUIRED",
            f"{AT}.client_ca: missing: it has the authorities of client certificates",
        ),
        (
            f"{PAIR}, ciphers: NONE-SUCH",
            f"{AT}.ciphers: 'NONE-SUCH': {UNKNOWN_CIPHERS}",
        ),
        (f'{PAIR}, ciphers: "A\\0"', f"{AT}.ciphers: 'A\\x00': {UNKNOWN_CIPHERS}"),
        (f'{PAIR}, alpn: [h2, ""]', f"{AT}.alpn[1]: 1 to 255 ASCII characters, not ''"),
        (f"{PAIR}, alpn: [hé]", f"{AT}.alpn[0]: 1 to 255 ASCII characters, not 'hé'"),
        (
            f"{PAIR}, handshake_timeout: 0",
            f"{AT}.handshake_timeout: must be more than 0: a client that says nothing would keep its connection",
        ),
        (f"{PAIR}, handshake_timeout: 2h", f"{AT}.handshake_timeout: must be 0 to 1h, not 2h"),
        (
            f"{PAIR}, sni: [{{name: a..b, {PAIR}}}]",
            f"{AT}.sni[0].name: a host name such as www.example.com or *.example.com, not 'a..b'",
        ),
        (f"{PAIR}, sni: [{{{PAIR}}}]", f"{AT}.sni[0].name: missing: it has no default"),
        (
            f"{PAIR}, sni: [{{name: A.test, {PAIR}}}, {{name: a.test, {PAIR}}}]",
            f"{AT}.sni[1].name: 'a.test' is already the name of sni[0]",
        ),
        (
            f"{PAIR}, alpn: [{', '.join(map(str, map('p{}'.format, range(MAX_ALPN + 1))))}]",
            f"{AT}.alpn: {MAX_ALPN + 1} protocols; the maximum is {MAX_ALPN}",
        ),
        (
            f"{PAIR}, sni: [{', '.join(f'{{name: n{number}.test, {PAIR}}}' for number in range(MAX_SNI + 1))}]",
            f"{AT}.sni: {MAX_SNI + 1} certificates; the maximum is {MAX_SNI}",
        ),
    ],
)
def test_invalid_tls_is_rejected_with_its_field(text: str, problem: str) -> None:
    assert wrong(text) == [problem]


def test_values_that_only_the_api_can_give_are_rejected() -> None:
    config = listener(f"tls: {{{PAIR}}}")
    config.listeners[0].tls.min_version = 9  # type: ignore[assignment]  # a value that there is not
    assert said(check(config, {})) == [
        f"{AT}.min_version: there is no value 9; known: VERSION_TLS_1_2, VERSION_TLS_1_3"
    ]


@pytest.mark.parametrize("name", ["tls.sni", "tls.alpn", "tls.client_name"])
def test_names_of_tls_need_a_listener_with_tls(name: str) -> None:
    rules = f"rules: [{{when: {{expr: \"{name} == 'a'\"}}, do: [send: {{template: '${{{name}}}'}}]}}]"
    assert wrong(PAIR, rules) == []
    why = f"{name} is only known on a listener with `tls` (at character"
    assert said(check(listener(rules), {})) == [
        f"listeners[0].rules[0].when.expr: {why} 1)",
        f"listeners[0].rules[0].do[0].send.template: {why} 3)",
    ]


def test_step_that_begins_tls_needs_a_listener_that_begins_it_on_a_step() -> None:
    rules = "rules: [{do: [start_tls]}]"
    why = "the listener needs `tls: {…, start: ON_STEP}`"
    assert wrong(PAIR, rules) == [f"listeners[0].rules[0].do[0].start_tls: {why}"]
    assert said(check(listener(rules), {})) == [f"listeners[0].rules[0].do[0].start_tls: {why}"]
    assert wrong(f"{PAIR}, start: ON_STEP", rules) == []


def test_settings_have_defaults() -> None:
    assert compile_settings(v1.Tls(cert="a", key="b")) == Settings()


@pytest.mark.parametrize(
    "mode, verifies",
    [
        ("", ssl.CERT_REQUIRED),
        ("client_certificate: REQUIRED, ", ssl.CERT_REQUIRED),
        ("client_certificate: OPTIONAL, ", ssl.CERT_OPTIONAL),
    ],
)
def test_settings_are_those_of_the_file(mode: str, verifies: ssl.VerifyMode) -> None:
    given = listener(
        "tls: {cert: a, key: b, client_ca: c, min_version: TLS_1_3, ciphers: AESGCM, alpn: [x, y], "
        f"handshake_timeout: 1500ms, {mode}start: ON_STEP, sni: [{{name: n, cert: a, key: b}}]}}"
    )
    assert compile_settings(given.listeners[0].tls) == Settings(
        ssl.TLSVersion.TLSv1_3, "AESGCM", ("x", "y"), verifies, ("n",), 1.5, at_once=False
    )
