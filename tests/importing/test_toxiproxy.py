"""Proxies of Toxiproxy as listeners that relay: each form of its files."""

import json
from typing import Any

import pytest

from answerback.document.document import load
from answerback.importing.outcome import Outcome
from answerback.importing.source import Unreadable
from answerback.importing.toxiproxy import import_toxiproxy
from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.importing.mountebank.importing import notes

REDIS = {"name": "redis", "listen": "127.0.0.1:16379", "upstream": "redis.example:6379", "enabled": True}
MYSQL = {"name": "mysql", "listen": "[::]:13306", "upstream": "127.0.0.1:3306"}


def imported(proxies: Any) -> Outcome:
    """The outcome; its text is a configuration that could be served."""
    outcome = import_toxiproxy(json.dumps(proxies, indent=1).encode())
    document = load(outcome.text)
    assert (document.problems, document.config) == ((), outcome.config)
    assert check(outcome.config, {}) == []
    return outcome


def only(proxy: dict[str, Any]) -> v1.Listener:
    outcome = imported([REDIS | proxy])
    assert notes(outcome) == []
    return outcome.config.listeners[0]


@pytest.mark.parametrize(
    "form",
    [
        [REDIS, MYSQL],
        {"redis": REDIS, "mysql": MYSQL},
        {"redis": {k: v for k, v in REDIS.items() if k != "name"}, "mysql": MYSQL | {"toxics": []}},
        {"proxies": [REDIS, MYSQL]},
        [{name.title(): value for name, value in each.items()} for each in (REDIS, MYSQL)],
    ],
)
def test_each_form_of_a_file_is_imported(form: Any) -> None:
    outcome = imported(form)
    assert notes(outcome) == []
    assert [(one.name, one.address, one.upstream.address) for one in outcome.config.listeners] == [
        ("redis", "127.0.0.1:16379", "redis.example:6379"),
        ("mysql", "[::]:13306", "127.0.0.1:3306"),
    ]


def test_single_proxy_is_imported() -> None:
    assert imported(REDIS).config == imported([REDIS]).config


def test_relay_does_not_close_idle_connections() -> None:
    limits = only({}).limits
    assert limits.HasField("idle_timeout")
    assert limits.idle_timeout.ToSeconds() == 0


@pytest.mark.parametrize(
    "listen, address",
    [
        ("localhost:1", "127.0.0.1:1"),
        (":1", "0.0.0.0:1"),
        ("", "0.0.0.0:0"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:1", "[::1]:1"),
    ],
)
def test_proxy_listens_where_toxiproxy_does(listen: str, address: str) -> None:
    assert only({"listen": listen}).address == address


def test_proxy_without_an_address_gets_a_free_port() -> None:
    assert imported([{"name": "a", "upstream": "b:1"}]).config.listeners[0].address == "0.0.0.0:0"


@pytest.mark.parametrize(
    "upstream, address",
    [
        (":1", "127.0.0.1:1"),
        ("0.0.0.0:1", "127.0.0.1:1"),
        ("[::]:1", "[::1]:1"),
        ("localhost:1", "localhost:1"),
        ("db_1.internal:5432", "db_1.internal:5432"),
    ],
)
def test_proxy_connects_where_toxiproxy_does(upstream: str, address: str) -> None:
    assert only({"upstream": upstream}).upstream.address == address


def test_disabled_proxy_refuses_connections() -> None:
    assert only({"enabled": False}).accept == v1.ACCEPT_REFUSE
    assert only({}).accept == v1.ACCEPT_UNSPECIFIED


def test_names_become_names_of_listeners() -> None:
    outcome = imported(
        [REDIS | {"name": name, "listen": f":{port}"} for port, name in enumerate(("a b", "a/b", "/"), 1)]
    )
    assert [each.name for each in outcome.config.listeners] == ["a-b", "a-b-2", "proxy"]


def toxic(kind: str, attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "it", "type": kind, "stream": "downstream", "toxicity": 1, "attributes": attributes, **fields}


FAULTS = [
    (toxic("latency", {"latency": 100, "jitter": 0}), "latency: {fixed: 100ms}"),
    (toxic("latency", {"latency": 100, "jitter": 30}), "latency: {uniform: {min: 70ms, max: 130ms}}"),
    (toxic("bandwidth", {"rate": 5}), "bandwidth: {bytes_per_second: 5000}"),
    (toxic("limit_data", {"bytes": 7}), "target: CONNECTION, truncate: {bytes: 7}"),
    (toxic("latency", {"latency": 5, "jitter": 6}), "latency: {uniform: {min: -1ms, max: 11ms}}"),
    (toxic("bandwidth", {"rate": 0}), "hang: {}"),
    (toxic("reset_peer", {"timeout": 250}), "reset: {after: 250ms, discard: true}"),
    (toxic("timeout", {"timeout": 250}), "target: CONNECTION, blackhole: {close_after: 250ms}"),
    (toxic("slow_close", {"delay": 250}), "slow_close: {delay: {fixed: 250ms}}"),
    (
        toxic("slicer", {"average_size": 64, "size_variation": 32, "delay": 10}),
        "slice: {size: 64, variation: 32, gap: 10us}",
    ),
]


@pytest.mark.parametrize("given, expected", FAULTS)
def test_toxic_becomes_a_fault_of_its_direction(given: dict[str, Any], expected: str) -> None:
    for stream, direction in (("downstream", "TO_PEER"), ("upstream", "FROM_PEER")):
        (found,) = only({"toxics": [given | {"stream": stream}]}).faults
        assert found == written(f"name: it, direction: {direction}, {expected}")


def written(text: str) -> v1.Fault:
    """The fault that a configuration has."""
    listener = f"{{name: a, address: '127.0.0.1:1', upstream: 'a:1', faults: [{{{text}}}]}}"
    return load(f"listeners: [{listener}]").config.listeners[0].faults[0]


def test_toxicity_is_a_probability_for_the_connection() -> None:
    (found,) = only({"toxics": [toxic("latency", {"latency": 1}, toxicity=0.25)]}).faults
    assert found == written(
        "name: it, direction: TO_PEER, probability: 0.25, target: CONNECTION, latency: {fixed: 1ms}"
    )


def test_toxic_has_the_defaults_of_toxiproxy() -> None:
    (found,) = only({"toxics": [{"type": "latency"}]}).faults
    assert found == written("name: latency_downstream, direction: TO_PEER, latency: {fixed: 0s}")


TOXICS = [
    (toxic("latency", {"latency": 3_600_001}, name="late"), "", "left out: latency.fixed: must be 0 to 1h"),
    (toxic("latency", {"latency": -5}), ".attributes.latency", "Toxiproxy needs a number that is not negative"),
    (toxic("latency", {"latency": "5"}), ".attributes.latency", "a whole number is expected, not '5'"),
    (toxic("noop", {}), ".type", "Toxiproxy has no toxic 'noop': latency, bandwidth"),
    (toxic("latency", {}, stream="sideways"), ".stream", "a stream is upstream or downstream, not 'sideways'"),
    (toxic("slicer", {}, name="other"), "", "left out: slice.size: "),
    ({}, "", "Toxiproxy has no toxic ''"),
]


@pytest.mark.parametrize("given, path, message", TOXICS)
def test_toxic_without_an_equivalent_is_noted_and_left_out(given: dict[str, Any], path: str, message: str) -> None:
    outcome = imported({"redis": REDIS | {"toxics": [given, toxic("latency", {"latency": 1})]}})
    (note,) = notes(outcome)
    assert note.startswith(f"redis.toxics[0]{path}: {message}")
    assert [each.name for each in outcome.config.listeners[0].faults] == ["it"]


def test_field_that_no_toxic_has_is_noted() -> None:
    outcome = imported([REDIS | {"toxics": [toxic("latency", {}, color="red")]}])
    assert notes(outcome) == ["[0].toxics[0].color: Toxiproxy has no field 'color' of a toxic: it is ignored"]


NOTED = [
    ({"listen": "redis.local:1"}, "listen", "an address is needed, not a name: listens on all addresses, 0.0.0.0"),
    ({"color": "red"}, "color", "Toxiproxy has no field 'color' of a proxy: it is ignored"),
]
LEFT_OUT = [
    ({"listen": "nowhere"}, ".listen", "the proxy is left out: an address is HOST:PORT, not 'nowhere'"),
    ({"listen": 5}, ".listen", "the proxy is left out: text is expected, not '5'"),
    ({"upstream": 5}, ".upstream", "the proxy is left out: text is expected, not '5'"),
    ({"enabled": "yes"}, ".enabled", "the proxy is left out: true or false is expected, not 'yes'"),
    ({"toxics": {}}, ".toxics", "the proxy is left out: an array is expected, not an object"),
    ({"upstream": "127.0.0.1:16379"}, "", "left out: upstream.address: 127.0.0.1:16379 leads back to this listener"),
    ({"upstream": "a b:1"}, "", "left out: upstream.address: 'a b' is not the name of a host"),
    ({"listen": "127.0.0.1:13306"}, "", "left out: address: "),
]


@pytest.mark.parametrize("proxy, field, message", NOTED)
def test_what_has_no_equivalent_is_noted(proxy: dict[str, Any], field: str, message: str) -> None:
    assert notes(imported([REDIS | proxy])) == [f"[0].{field}: {message}"]


@pytest.mark.parametrize("proxy, field, message", LEFT_OUT)
def test_proxy_without_an_equivalent_is_left_out_and_noted(proxy: dict[str, Any], field: str, message: str) -> None:
    other = MYSQL | {"listen": "127.0.0.1:13306"}
    outcome = imported([other, REDIS | proxy])
    (note,) = notes(outcome)
    assert note.startswith(f"[1]{field}: {message}")
    assert [each.name for each in outcome.config.listeners] == ["mysql"]


def test_proxy_without_an_upstream_is_left_out() -> None:
    assert notes(imported([REDIS, {"name": "a"}])) == ["[1]: the proxy is left out: `upstream` is missing"]


REJECTED = [
    ("", "the file is empty"),
    ("[", "1:2: not JSON"),
    ("{}", "1:1: proxies are expected"),
    ('{"name": "a"}', "1:1: proxies are expected"),
    ('{"type": "latency", "attributes": {}}', "1:1: proxies are expected"),
    ("5", "1:1: an object is expected, not '5'"),
    ("[]", "1:1: no proxy that can be imported"),
    ("[5]", "1:1: no proxy that can be imported: 1:2: [0]: the proxy is left out: an object is expected, not '5'"),
    ('{"proxies": 5}', "1:13: proxies: an object is expected"),
    ("[" * 500 + "]" * 500, "1:161: nested too deep"),
]


@pytest.mark.parametrize("text, message", REJECTED, ids=[text[:30] for text, _ in REJECTED])
def test_file_that_is_none_of_toxiproxy_is_rejected_with_its_place(text: str, message: str) -> None:
    with pytest.raises(Unreadable) as caught:
        import_toxiproxy(text.encode())
    assert str(caught.value.problem).startswith(message)
