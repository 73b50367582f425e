"""The note of Toxiproxy's API at a listener."""

import pytest

from answerback.language.check import check
from answerback.language.toxiproxy import keeping_proxies, note_of, without_proxies
from answerback.v1 import config_pb2 as v1

UPSTREAM = v1.Upstream(address="b:1")


def noted(name: str, note: str = "") -> v1.Listener:
    return v1.Listener(name=name, address="127.0.0.1:0", upstream=UPSTREAM, toxiproxy=note)


def names(config: v1.Config) -> list[str]:
    return [each.name for each in config.listeners]


@pytest.mark.parametrize("note", ["{", "[]", "1", "{}", '{"name": ""}', '{"name": 5}', "[" * 100_000])
def test_note_without_a_name_is_rejected(note: str) -> None:
    listener = noted("a", note)
    assert note_of(listener) is None
    (problem,) = check(v1.Config(listeners=[listener]), {})
    assert problem.path == "listeners[0].toxiproxy"


def test_note_is_bounded() -> None:
    (problem,) = check(v1.Config(listeners=[noted("a", '{"name": "' + "é" * 32768 + '"}')]), {})
    assert str(problem) == "listeners[0].toxiproxy: must be at most 65536 bytes: use shorter names"


def test_two_listeners_cannot_have_one_name_there() -> None:
    config = v1.Config(listeners=[noted("a", '{"name": "it"}'), noted("b", '{"name": "it"}')])
    (problem,) = check(config, {})
    assert str(problem) == "listeners[1].toxiproxy: 'it' is already the name of listeners[0]"


def test_proxies_of_a_former_configuration_are_kept_unless_their_name_is_taken() -> None:
    former = v1.Config(listeners=[noted("a", '{"name": "x"}'), noted("b", '{"name": "y"}'), noted("c")])
    config = v1.Config(listeners=[noted("b")])
    kept = keeping_proxies(config, former)
    assert names(kept) == ["b", "a"]
    assert names(config) == ["b"]
    assert names(without_proxies(former)) == ["c"]
    assert without_proxies(config) is config
