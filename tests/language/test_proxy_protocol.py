"""`proxy_protocol` of a listener: its short form, what is rejected, and what comes of it."""

from ipaddress import ip_network

import pytest

from answerback.core.proxy_header import ProxyProtocol
from answerback.document.encode import dump
from answerback.language.check import check
from answerback.language.lint import warnings
from tests.language.compiling import RequestContext, only
from tests.language.configurations import listener, problems_of, said

UNIX = {"address": "unix:/tmp/it.sock"}
RULES = "rules: [{do: [send: hi]}]"


def rejected(text: str, **fields: str) -> list[str]:
    return [each.removeprefix("listeners[0].") for each in said(check(listener(text, **fields), {}))]


@pytest.mark.parametrize(
    "short, settings",
    [
        ("REQUIRED", ProxyProtocol()),
        ("required", ProxyProtocol()),
        ("{mode: REQUIRED}", ProxyProtocol()),
        ("{}", ProxyProtocol()),
        ("OPTIONAL", ProxyProtocol(required=False)),
        ("{from: [192.0.2.1]}", ProxyProtocol(senders=(ip_network("192.0.2.1"),))),
        ("{timeout: 300ms}", ProxyProtocol(timeout=0.3)),
        (
            "{mode: OPTIONAL, from: [10.0.0.0/8, '2001:db8::/32'], timeout: 1m}",
            ProxyProtocol(
                required=False, senders=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")), timeout=60.0
            ),
        ),
    ],
)
def test_settings_are_compiled_with_their_defaults(short: str, settings: ProxyProtocol) -> None:
    assert only(listener(f"proxy_protocol: {short}\n{RULES}")).proxy_protocol == settings


def test_listener_without_the_field_has_no_header() -> None:
    assert only(listener(RULES)).proxy_protocol is None


def test_field_is_shown_in_full() -> None:
    shown = dump(listener(f"proxy_protocol: {{mode: OPTIONAL, from: [10.0.0.0/8]}}\n{RULES}"))
    assert "proxy_protocol:\n      mode: MODE_OPTIONAL\n      from:\n        - 10.0.0.0/8\n" in shown.replace('"', "")


@pytest.mark.parametrize(
    "given, message",
    [
        ("{timeout: 0}", "timeout: must be more than 0: the time within which the header must arrive"),
        ("{timeout: 2h}", "timeout: must be 0 to 1h, not 2h"),
        ("{from: [a]}", "from[0]: an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not 'a'"),
        ("{from: [10.0.0.1/8]}", "from[0]: '10.0.0.1/8' says more bits than its prefix has: write 10.0.0.0/8"),
    ],
)
def test_wrong_setting_is_rejected(given: str, message: str) -> None:
    assert rejected(f"proxy_protocol: {given}") == [f"proxy_protocol.{message}"]


def test_other_word_is_rejected_with_those_that_there_are() -> None:
    text = "listeners: [{name: it, address: '127.0.0.1:8000', proxy_protocol: ALWAYS}]"
    assert problems_of(text) == [
        "1:67: listeners[0].proxy_protocol.mode: no such word: 'ALWAYS'; known: REQUIRED, OPTIONAL"
    ]


def test_unknown_mode_through_the_api_is_rejected() -> None:
    config = listener("proxy_protocol: REQUIRED")
    config.listeners[0].proxy_protocol.mode = 7  # type: ignore[assignment]
    (problem,) = said(check(config, {}))
    assert problem.startswith("listeners[0].proxy_protocol.mode: there is no value 7")


def test_too_many_senders_are_rejected() -> None:
    many = ", ".join(f"10.0.{index}.0/24" for index in range(101))
    assert rejected(f"proxy_protocol: {{from: [{many}]}}") == [
        "proxy_protocol.from: 101 addresses and networks; the maximum is 100"
    ]
    assert rejected(f"proxy_protocol: {{from: [{many.rpartition(', ')[0]}]}}") == []


def test_rule_on_connect_is_rejected_where_the_header_is_optional() -> None:
    greets = "rules: [{do: [echo]}, {event: CONNECT, do: [send: hi]}]"
    (problem,) = rejected(f"proxy_protocol: OPTIONAL\n{greets}")
    assert problem.startswith("rules[1].event: with `proxy_protocol: OPTIONAL`, a client that waits for the server")
    assert rejected(f"proxy_protocol: REQUIRED\n{greets}") == []
    assert rejected(greets) == []


def test_clients_of_a_unix_socket_have_addresses_behind_a_proxy() -> None:
    per_peer = "limits: {max_connections_per_peer: 1}"
    assert rejected(f"proxy_protocol: REQUIRED\n{per_peer}", **UNIX) == []
    assert len(rejected(per_peer, **UNIX)) == 1
    by_peer = "rules: [{when: {peer: 10.0.0.0/8}, do: [echo]}]"
    assert warnings(listener(f"proxy_protocol: REQUIRED\n{by_peer}", **UNIX)) == []
    assert len(warnings(listener(by_peer, **UNIX))) == 1


def test_senders_of_a_unix_socket_are_rejected() -> None:
    (problem,) = rejected("proxy_protocol: {from: [127.0.0.1]}", **UNIX)
    assert problem.startswith("proxy_protocol.from: who connects to a Unix socket has no address")


SAYS = 'rules: [{do: [send: {template: "${proxy.host}"}]}]'
ASKS = 'rules: [{when: {expr: "peer.host != proxy.host"}, do: [echo]}]'


@pytest.mark.parametrize("rules", [SAYS, ASKS])
def test_proxy_is_a_name_only_where_headers_are_read(rules: str) -> None:
    assert rejected(f"proxy_protocol: REQUIRED\n{rules}") == []
    (problem,) = rejected(rules)
    assert "proxy.host is only known on a listener with `proxy_protocol` (at character" in problem
    assert only(listener(f"proxy_protocol: REQUIRED\n{rules}")).proxy_protocol is not None


def test_unknown_name_is_not_explained_by_one_of_another_listener() -> None:
    (problem,) = rejected('rules: [{do: [send: {template: "${proxy.hots}"}]}]')
    assert "did you mean proxy.host" not in problem
    (problem,) = rejected('proxy_protocol: REQUIRED\nrules: [{do: [send: {template: "${proxy.hots}"}]}]')
    assert "did you mean proxy.host?" in problem


def test_capture_cannot_be_called_proxy() -> None:
    (problem,) = rejected('rules: [{when: {regex: "(?P<proxy>.)"}, do: [echo]}]')
    assert "proxy" in problem


def test_condition_on_the_proxy_is_explained_where_no_rule_matches() -> None:
    rules = "rules: [{when: {expr: \"proxy.host == '10.0.0.1'\"}, do: [echo]}]"
    nearest = only(listener(f"proxy_protocol: REQUIRED\n{rules}")).nearest
    assert nearest is not None
    found = nearest.of(b"x", RequestContext(b"x"))
    assert found is not None
    assert "proxy.host" in str(found)
