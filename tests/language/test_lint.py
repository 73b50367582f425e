from hypothesis import given

from answerback.language.lint import warnings
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import listener, said
from tests.language.strategies import configs, few


def advice(text: str = "", **fields: str) -> list[str]:
    """What is advised of a listener; the path is that within the listener."""
    return [line.removeprefix("listeners[0].") for line in said(warnings(listener(text, **fields)))]


@few
@given(configs())
def test_warnings_of_any_configuration_have_a_path(config: v1.Config) -> None:
    assert all(problem.path for problem in warnings(config))


def test_lint_warns_of_configuration_without_listeners() -> None:
    assert said(warnings(v1.Config())) == ["listeners: empty: nothing will be served"]


def test_text_escape_that_becomes_two_bytes_is_warned_of() -> None:
    found = advice(
        'rules: [{when: {all: ["\\xff", {regex: "é"}]},'
        ' do: [send: "caf\\xe9 \\xff", send: "→", send: {template: "\\xff"}]}]',
        framing='{pattern: {end: "\\xff"}}',
    )
    assert found == [
        r"framing.pattern.end: 'ÿ' is two bytes, c3 bf; if the byte ff is meant, write \xff in the pattern",
        r"rules[0].when.all.of[0].equals.text: 'ÿ' is two bytes, c3 bf; if the byte ff is meant, write hex",
        r"rules[0].when.all.of[1].regex: 'é' is two bytes, c3 a9; if the byte e9 is meant, write \xe9 in the pattern",
        r"rules[0].do[0].send.text: 'é' is two bytes, c3 a9; if the byte e9 is meant, write hex",
        r"rules[0].do[2].send.template: 'ÿ' is two bytes, c3 bf; if the byte ff is meant, write ${unhex('ff')}",
    ]


def test_read_longer_than_max_request_bytes_is_warned_of() -> None:
    assert advice(limits="{max_request_bytes: 1000}") == [
        "limits.max_request_bytes: less than one read of up to 1024 bytes: longer reads close the connection",
    ]
    assert advice(limits="{max_request_bytes: 1000}", framing="{read: {max_bytes: 1000}}") == []
    assert advice(limits="{max_request_bytes: 1000}", framing="line") == []


def test_framing_that_never_ends_a_request_is_warned_of() -> None:
    assert advice(limits="{max_request_bytes: 1000}", framing="{fixed: {size: 1001}}") == [
        "framing.fixed.size: more than max_request_bytes: every request closes the connection",
    ]
    assert advice("rules: [{do: [framing: {idle: {gap: 31s}}]}]", framing="{idle: {gap: 30s}}") == [
        "rules[0].do[0].framing.idle.gap: never ends a request: request_timeout closes the connection before",
    ]
    assert advice(limits="{idle_timeout: 1s}", framing="{idle: {gap: 2s}}") == [
        "framing.idle.gap: never ends a request: idle_timeout closes the connection before",
    ]


def test_lint_warns_of_idle_rule_without_idle_timeout() -> None:
    assert advice("rules: [{event: IDLE, do: [close]}]", limits="{idle_timeout: 0}") == [
        "rules[0]: never reached: idle_timeout is 0, so no connection is idle for too long",
    ]


def test_timeout_not_shorter_than_lifetime_is_warned_of() -> None:
    assert advice(limits="{lifetime: 10s, idle_timeout: 10s, request_timeout: 1m}") == [
        "limits.idle_timeout: never ends a connection: its lifetime is over by then",
        "limits.request_timeout: never ends a connection: its lifetime is over by then",
    ]
    assert advice(limits="{lifetime: 10s}") == advice(limits="{lifetime: 0, idle_timeout: 1h}") == []
    assert advice(limits="{lifetime: 10s, idle_timeout: 0}") == []


def test_lint_on_unix_socket_warns_of_peer_match_and_reset() -> None:
    text = "rules: [{when: {peer: 10.0.0.0/8}, do: [reset]}, {do: [close]}]\nfaults: [{reset: {}}]"
    assert advice(text, address="unix:/run/a.sock") == [
        "rules[0].when.peer: never matches: peers of a Unix socket have no address",
        "rules[0].do[0].reset: a Unix socket has no RST: the peer reads EOF, as after a close",
        "faults[0].reset: a Unix socket has no RST: the peer reads EOF, as after a close",
    ]
    assert advice(text) == []


def test_lint_on_unix_socket_warns_of_counts_for_each_peer() -> None:
    text = (
        "rules: [{times: 1, scope: PEER}, {times: 1, scope: LISTENER}, {}]\nfaults: [{times: 1, scope: PEER, drop: {}}]"
    )
    assert advice(text, address="unix:/run/a.sock") == [
        "rules[0].scope: PEER counts as LISTENER does: all peers of a Unix socket are one",
        "faults[0].scope: PEER counts as LISTENER does: all peers of a Unix socket are one",
    ]
    assert advice(text) == []


def test_tls_that_no_step_begins_is_warned_of() -> None:
    on_step = "tls: {cert: a.crt, key: a.key, start: ON_STEP}\n"
    why = "TLS never begins: no rule has the step start_tls; without ON_STEP it begins with the connection"
    assert advice(on_step) == [f"tls.start: {why}"]
    assert advice(on_step + "rules: [{do: [send: x]}]") == [f"tls.start: {why}"]
    assert advice(on_step + "rules: [{do: [start_tls]}]") == []
    assert advice("tls: {cert: a.crt, key: a.key}") == []
