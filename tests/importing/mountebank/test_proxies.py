"""Imposters that are only a proxy: they relay."""

from typing import Any

import pytest

from answerback.v1 import config_pb2 as v1
from tests.importing.mountebank.importing import complete, imported, imposter, notes, stub

TO = "tcp://db.example:5432"


def proxied(proxy: Any, **fields: Any) -> dict[str, Any]:
    return imposter({"responses": [{"proxy": proxy}]}, **fields)


@pytest.mark.parametrize(
    "to, address",
    [
        (TO, "db.example:5432"),
        ("tcp://127.0.0.1:6379/", "127.0.0.1:6379"),
        ("tcp://[::1]:6379", "[::1]:6379"),
        ({"host": "db.example", "port": 5432}, "db.example:5432"),
    ],
)
def test_imposter_that_is_only_a_proxy_relays(to: Any, address: str) -> None:
    for extra in ({}, {"keepalive": True}):
        outcome = complete(proxied({"to": to, "mode": "proxyTransparent"} | extra, name="db"))
        (listener,) = outcome.config.listeners
        assert listener == v1.Listener(
            name="db",
            address="0.0.0.0:4545",
            upstream=v1.Upstream(address=address),
            limits=listener.limits,
        )
        assert listener.limits.HasField("idle_timeout")
        assert listener.limits.idle_timeout.ToSeconds() == 0


@pytest.mark.parametrize("mode", [{}, {"mode": "proxyOnce"}, {"mode": "proxyAlways"}])
def test_recording_of_a_proxy_is_noted(mode: dict[str, str]) -> None:
    outcome = imported(proxied({"to": TO} | mode))
    place = "imposters[0].stubs[0].responses[0].proxy" + ".mode" * bool(mode)
    assert notes(outcome)[0].startswith(f"{place}: all bytes are relayed")
    assert outcome.config.listeners[0].upstream.address == "db.example:5432"


def test_what_else_a_proxy_does_is_noted() -> None:
    outcome = imported(proxied({"to": TO, "mode": "proxyTransparent", "addWaitBehavior": True}))
    assert notes(outcome) == [
        "imposters[0].stubs[0].responses[0].proxy.addWaitBehavior: no equivalent: all bytes are relayed as they come"
    ]


@pytest.mark.parametrize(
    "stubs",
    [
        [{"responses": [{"proxy": {"to": TO}}, {"is": {"data": "x"}}]}],
        [{"responses": [{"proxy": {"to": TO}}]}, stub()],
        [{"predicates": [{"equals": {"data": "x"}}], "responses": [{"proxy": {"to": TO}}]}],
        [{"responses": [{"proxy": {"to": TO}, "behaviors": [{"wait": 5}]}]}],
    ],
)
def test_proxy_beside_other_answers_is_noted_and_sends_nothing(stubs: list[dict[str, Any]]) -> None:
    outcome = imported(imposter(*stubs))
    assert notes(outcome)[0].startswith("imposters[0].stubs[0].responses[0].proxy: no equivalent: nothing is sent")
    assert not outcome.config.listeners[0].HasField("upstream")


@pytest.mark.parametrize(
    "proxy, path, message",
    [
        ({}, "", "`to` is missing"),
        ({"to": "http://a:1"}, ".to", "mountebank connects to tcp://HOST:PORT, not 'http://a:1'"),
        ({"to": {"host": "a"}}, ".to", "`host` and `port` are expected"),
        ({"to": 5}, ".to", "text is expected, not '5'"),
    ],
)
def test_proxy_to_nowhere_leaves_out_the_imposter(proxy: Any, path: str, message: str) -> None:
    outcome = imported(proxied({"mode": "proxyTransparent"} | proxy), imposter(port=1))
    assert notes(outcome) == [f"imposters[0].stubs[0].responses[0].proxy{path}: {message}"]
    assert len(outcome.config.listeners) == 1
