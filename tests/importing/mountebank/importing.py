"""Shared by the tests of imports from mountebank: imposters, imported and simulated."""

import json
from collections.abc import Sequence
from typing import Any

from answerback.document.document import load
from answerback.explain import Moment, Transcript, explain
from answerback.importing.mountebank import import_mountebank
from answerback.importing.outcome import Outcome
from answerback.language.check import check
from tests.explain.explaining import BEGUN


def imported(*imposters: dict[str, Any]) -> Outcome:
    """The outcome of a file with these imposters; its text is a configuration that could be served."""
    outcome = import_mountebank(json.dumps({"imposters": imposters}, indent=1).encode())
    document = load(outcome.text)
    assert document.config == outcome.config
    assert (document.problems, check(document.config, {})) == ((), [])
    return outcome


def imposter(*stubs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A TCP imposter with these stubs."""
    return {"protocol": "tcp", "port": 4545, "stubs": stubs, **fields}


def stub(*predicates: dict[str, Any], data: str = "yes") -> dict[str, Any]:
    """A stub that answers with some data."""
    return {"predicates": list(predicates), "responses": [{"is": {"data": data}}]}


def notes(outcome: Outcome) -> list[str]:
    """What has no equivalent, with its path, without lines."""
    return [f"{note.path}: {note.message}" for note in outcome.notes]


def complete(*imposters: dict[str, Any]) -> Outcome:
    """The outcome of an import that has an equivalent for everything."""
    outcome = imported(*imposters)
    assert notes(outcome) == []
    return outcome


def conversation(outcome: Outcome, requests: Sequence[bytes], peer: str = "192.0.2.7") -> Transcript:
    """What the first listener answers to requests a second apart."""
    moments = [Moment(second, request) for second, request in enumerate(requests)]
    return explain(outcome.config.listeners[0], {}, moments, peer=peer, begun=BEGUN)
