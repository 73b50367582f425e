"""Files of mountebank as configurations: what an imposter becomes, and what a file may be."""

import json
from typing import Any

import pytest

from answerback.importing.mountebank import import_mountebank
from answerback.importing.source import Unreadable
from answerback.v1 import config_pb2 as v1
from tests.importing.mountebank.importing import complete, imported, imposter, notes, stub

SAVED = """{
  "protocol": "tcp",
  "port": 5555,
  "name": "orders",
  "numberOfRequests": 0,
  "recordRequests": true,
  "mode": "text",
  "requests": [{"requestFrom": "127.0.0.1:50000", "data": "x"}],
  "stubs": [
    {
      "predicates": [{"equals": {"data": "x"}}],
      "responses": [{"is": {"data": "y", "_proxyResponseTime": 5}}],
      "matches": [{"timestamp": "2026-01-01T00:00:00.000Z"}],
      "_links": {"self": {"href": "http://localhost:2525/imposters/5555/stubs/0"}}
    }
  ],
  "_links": {"self": {"href": "http://localhost:2525/imposters/5555"}}
}
"""


def rejected(text: str) -> str:
    with pytest.raises(Unreadable) as caught:
        import_mountebank(text.encode())
    return str(caught.value.problem)


def only(config: v1.Config) -> v1.Listener:
    (listener,) = config.listeners
    return listener


def test_answer_of_the_api_is_imported_whole() -> None:
    outcome = import_mountebank(SAVED.encode())
    assert (outcome.notes, only(outcome.config).name) == ([], "orders")
    assert import_mountebank(f'{{"imposters": [{SAVED}]}}'.encode()).config == outcome.config


def test_imposter_becomes_a_listener_that_reads_and_stays_open_as_mountebank_does() -> None:
    listener = only(complete(imposter(stub())).config)
    assert (listener.name, listener.address) == ("tcp-4545", "0.0.0.0:4545")
    assert listener.framing.read.max_bytes == 65536
    assert listener.limits.HasField("idle_timeout")
    assert listener.limits.idle_timeout.ToSeconds() == 0
    assert [rule.name for rule in listener.rules] == ["stub-0"]


@pytest.mark.parametrize(
    "fields, address",
    [
        ({"host": "localhost"}, "127.0.0.1:4545"),
        ({"host": "127.0.0.2"}, "127.0.0.2:4545"),
        ({"host": "::1"}, "[::1]:4545"),
        ({"host": "::"}, "[::]:4545"),
        ({"port": 0}, "0.0.0.0:0"),
    ],
)
def test_imposter_listens_where_mountebank_does(fields: dict[str, Any], address: str) -> None:
    assert only(complete(imposter(**fields)).config).address == address


def test_imposter_without_a_port_gets_a_free_one() -> None:
    assert only(complete({"protocol": "tcp"}).config).address == "0.0.0.0:0"


def test_host_that_is_a_name_is_noted() -> None:
    outcome = imported(imposter(host="db.example"))
    assert notes(outcome) == [
        "imposters[0].host: an address is needed, not a name: listens on all addresses, 0.0.0.0",
    ]
    assert only(outcome.config).address == "0.0.0.0:4545"


def test_names_of_listeners_are_made_of_those_of_imposters_and_differ() -> None:
    names = ("Order service!", "Order service?", "", "été", None)
    imposters = [
        imposter(port=index + 1) | ({} if name is None else {"name": name}) for index, name in enumerate(names)
    ]
    found = [listener.name for listener in complete(*imposters).config.listeners]
    assert found == ["Order-service", "Order-service-2", "tcp-3", "t", "tcp-5"]


def test_imposters_of_other_protocols_are_noted_and_left_out() -> None:
    outcome = imported({"protocol": "smtp", "port": 25}, imposter(), {"port": 1})
    assert notes(outcome) == [
        "imposters[0].protocol: left out: tcp and http are imported, not 'smtp'",
        "imposters[2]: left out: tcp and http are imported, not ''",
    ]
    assert len(outcome.config.listeners) == 1


def test_listener_whose_address_overlaps_another_is_left_out_and_noted() -> None:
    outcome = imported(imposter(), imposter())
    (note,) = notes(outcome)
    assert note.startswith("imposters[1]: left out: address: 0.0.0.0:4545 overlaps 0.0.0.0:4545")


def test_port_out_of_range_is_noted() -> None:
    outcome = imported(imposter(port=70000), imposter())
    assert notes(outcome)[0].startswith("imposters[0]: left out: address: ")


def test_resolver_of_requests_is_noted_with_what_to_write() -> None:
    outcome = imported(imposter(endOfRequestResolver={"inject": "function () { return true; }"}))
    assert notes(outcome)[0].startswith("imposters[0].endOfRequestResolver: JavaScript has no equivalent")
    assert "`framing`" in notes(outcome)[0]


def test_fields_that_mountebank_does_not_know_are_noted() -> None:
    outcome = imported(imposter({"responses": [{"is": {"data": "x", "code": 200}}], "predicate": []}, stub_s=[]))
    assert notes(outcome) == [
        "imposters[0].stubs[0].responses[0].is.code: mountebank sends nothing of 'code' over TCP: write it in `data`",
        "imposters[0].stubs[0].predicate: mountebank has no field 'predicate' of a stub: it is ignored",
        "imposters[0].stub_s: mountebank has no field 'stub_s' of a tcp imposter: it is ignored",
    ]


def test_stub_without_responses_is_noted_and_left_out() -> None:
    outcome = imported(imposter({"responses": []}, {"predicates": []}, "x", stub()))  # type: ignore[arg-type]
    assert notes(outcome) == [
        "imposters[0].stubs[0].responses: the stub is left out: mountebank needs at least one response",
        "imposters[0].stubs[1]: the stub is left out: mountebank needs `responses`",
        "imposters[0].stubs[2]: the stub is left out: an object is expected, not 'x'",
    ]
    assert [rule.name for rule in only(outcome.config).rules] == ["stub-3"]


def test_notes_have_the_line_and_column_of_their_place() -> None:
    text = SAVED.replace('"data": "y"', '"data": 5')
    (note,) = import_mountebank(text.encode()).notes
    assert str(note) == "12:37: stubs[0].responses[0].is.data: text is expected, not '5'"


def test_template_of_ejs_is_named_with_its_place() -> None:
    text = '{"imposters": [\n  <% include one.ejs %>\n]}'
    assert rejected(text).startswith(
        "2:3: not JSON: expecting value; `<%` begins a tag of EJS, which mountebank renders"
    )
    outcome = imported(imposter(stub(data="<%- stringify(filename, 'reply.txt') %>")))
    assert notes(outcome)[0].startswith("imposters[0].stubs[0].responses[0].is.data: `<%` begins a tag of EJS")


REJECTED = [
    ("", "the file is empty"),
    (" \n", "the file is empty"),
    ("{", "1:2: not JSON: expecting property name enclosed in double quotes"),
    ("imposters: []", "1:1: not JSON: expecting value"),
    ("[]", "1:1: an object is expected, not an array"),
    ('"tcp"', "1:1: an object is expected, not 'tcp'"),
    ("null", "1:1: an object is expected, not null"),
    ("{}", "1:1: an imposter (with `protocol`) is expected, or an object with `imposters`"),
    ('{"imposters": {}}', "1:15: imposters: an array is expected, not an object"),
    ('{"imposters": []}', "1:1: no imposter that can be imported"),
    ('{"imposters": [5]}', "1:1: no imposter that can be imported: 1:16: imposters[0]: an object is expected"),
    ('{"protocol": "smtp"}', "1:1: no imposter that can be imported: 1:14: protocol: left out"),
    ('{"protocol": "tcp", "mode": "octal"}', "1:1: no imposter that can be imported: 1:29: mode: left out"),
    ('{"protocol": "tcp", "port": "4545"}', "1:1: no imposter that can be imported: 1:29: port: a whole number"),
    ('{"protocol": "tcp", "port": NaN}', "not JSON: NaN is not a number of JSON"),
    ("[" * 100_000, "nested too deep"),
    ("[" * 500 + "]" * 500, "1:161: nested too deep"),
]


@pytest.mark.parametrize("text, message", REJECTED, ids=[text[:30] for text, _ in REJECTED])
def test_file_that_is_none_of_mountebank_is_rejected_with_its_place(text: str, message: str) -> None:
    assert rejected(text).startswith(message)


def test_file_that_is_not_text_or_too_long_is_rejected() -> None:
    with pytest.raises(Unreadable, match="not UTF-8"):
        import_mountebank(b'{"a": "\xff"}')
    with pytest.raises(Unreadable, match="longer than 4194304 bytes"):
        import_mountebank(b" " * (4 << 20) + b"{}")


def test_configuration_that_would_be_too_large_is_rejected() -> None:
    text = json.dumps(imposter(*(stub(data="\x7f" * 400) for _ in range(7_000))), ensure_ascii=False)
    assert "the configuration would be longer than 4194304 bytes" in rejected(text)


def test_more_stubs_than_a_configuration_has_rules_cannot_be_imported() -> None:
    text = json.dumps(imposter(*(stub() for _ in range(10_001))))
    assert "10001" in rejected(text)


def test_notes_beyond_a_thousand_are_counted() -> None:
    found = imported(imposter(*({"responses": []} for _ in range(1005)), stub())).notes
    assert (len(found), str(found[-1])) == (1001, "5 more")
