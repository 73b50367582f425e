"""Whatever is in a file, an import ends in a configuration that could be served, or in one problem."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerback.importing.mountebank import import_mountebank
from answerback.importing.outcome import Outcome
from answerback.importing.source import Unreadable
from answerback.importing.toxiproxy import import_toxiproxy
from answerback.language.check import check

Import = Callable[[bytes], Outcome]

IMPOSTERS = {
    "imposters": [
        {
            "protocol": "tcp",
            "port": 1,
            "host": "localhost",
            "name": "a",
            "mode": "text",
            "defaultResponse": {"data": "x"},
            "stubs": [
                {
                    "predicates": [
                        {"equals": {"data": "a", "ip": "127.0.0.1"}, "caseSensitive": True},
                        {"contains": {"data": "a"}, "except": "b"},
                        {"or": [{"matches": {"data": "^a"}}, {"not": {"exists": {"data": True}}}]},
                    ],
                    "responses": [
                        {"is": {"data": "${X}"}, "repeat": 2, "behaviors": [{"wait": 5}]},
                        {
                            "is": {"data": "${X}"},
                            "_behaviors": {
                                "wait": "5",
                                "repeat": 1,
                                "copy": [
                                    {
                                        "from": "data",
                                        "into": "${X}",
                                        "using": {"method": "regex", "selector": "a", "options": {"ignoreCase": True}},
                                    }
                                ],
                            },
                        },
                        {"fault": "CONNECTION_RESET_BY_PEER"},
                    ],
                }
            ],
        },
        {
            "protocol": "tcp",
            "port": 2,
            "mode": "binary",
            "stubs": [{"responses": [{"proxy": {"to": "tcp://a:1", "mode": "proxyTransparent"}}]}],
        },
    ]
}
PROXIES = {
    "a": {
        "name": "a",
        "listen": "localhost:1",
        "upstream": "b:1",
        "enabled": False,
        "toxics": [{"type": "latency", "stream": "upstream", "toxicity": 0.5, "attributes": {"latency": 1}}],
    }
}

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of each value in a value, its own first."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from paths(each, (*path, key))


def replaced(value: Any, path: Path, by: Any) -> Any:
    """The value with another one at a path."""
    if not path:
        return by
    key, *rest = path
    if isinstance(value, list):
        return [replaced(each, tuple(rest), by) if index == key else each for index, each in enumerate(value)]
    return {name: replaced(each, tuple(rest), by) if name == key else each for name, each in value.items()}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["tcp", "binary", "", "${X}", "(?=a)", "[", "<%", "\x00", "::1", "a:b:c", "tcp://x"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | TEXTS
ANYTHING = st.recursive(
    SCALARS.filter(lambda each: each not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "importer, whole", [(import_mountebank, IMPOSTERS), (import_toxiproxy, PROXIES)], ids=["mountebank", "toxiproxy"]
)
def test_file_with_anything_in_any_place_is_imported_or_rejected(importer: Import, whole: Any) -> None:
    @settings(max_examples=300)
    @given(st.sampled_from(list(paths(whole))), ANYTHING)
    def imported_or_rejected(path: Path, other: Any) -> None:
        try:
            outcome = importer(json.dumps(replaced(whole, path, other)).encode())
        except Unreadable:
            return
        assert check(outcome.config, {}) == []
        assert all(note.line is not None for note in outcome.notes)

    imported_or_rejected()


@pytest.mark.parametrize("importer", [import_mountebank, import_toxiproxy])
def test_bytes_that_are_no_json_are_rejected(importer: Import) -> None:
    @settings(max_examples=100)
    @given(st.binary(max_size=40))
    def rejected(data: bytes) -> None:
        with pytest.raises(Unreadable):
            importer(data)

    rejected()


def test_files_of_these_tests_are_imported_as_a_whole() -> None:
    assert list(import_mountebank(json.dumps(IMPOSTERS).encode()).notes) == []
    assert list(import_toxiproxy(json.dumps(PROXIES).encode()).notes) == []
