"""Every call of the admin API by clients that know only what reflection returns."""

import json
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.programs.conftest import RunningServer, Serve

pytestmark = pytest.mark.programs

GRPCURL = str(Path(sys.executable).with_name("grpcurl"))
NODE = Path(__file__).parent / "node"

CONFIG = """
listeners:
  - name: hello
    address: 127.0.0.1:PORT
    rules: [{name: greet, times: 3, do: [{send: hi}, close]}, {when: go, do: [{signal: go}]}]
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A method, what it is asked with (as grpc-js takes it), and something of what it must answer."""

    method: str
    request: Mapping[str, Any] = field(default_factory=dict)
    says: Mapping[str, Any] = field(default_factory=dict)
    endless: bool = False
    """A stream that ends when the client leaves."""


ANOTHER = {"name": "another", "address": "127.0.0.1:0"}
CONFIG_SERVICE, LISTENERS, OPERATIONS, JOURNAL, CONNECTIONS = (
    f"answerback.v1.{name}Service" for name in ("Config", "Listener", "Operations", "Journal", "Connection")
)
HEALTH = "grpc.health.v1.Health"
NOW = {"seconds": 0}

# The exchange that is made before the calls. Bytes are base64, as protobuf's JSON has them.
ASKED = {
    "listener": "hello",
    "rule": "greet",
    "number": 1,
    "state": "EXCHANGE_STATE_DONE",
    "request": {"data": b64encode(b"hello").decode(), "size": 5},
    "reply": {"data": b64encode(b"hi").decode(), "size": 2},
}

# In the order in which they are made. A method that is not here makes the test fail: add it.
CALLS = (
    Call(f"{CONFIG_SERVICE}/GetConfig", says={"revision": 1}),
    Call(f"{CONFIG_SERVICE}/ValidateConfig", {"config": {"listeners": [ANOTHER, ANOTHER]}}),
    Call(f"{CONFIG_SERVICE}/WatchConfig", endless=True),
    Call(f"{LISTENERS}/CreateListener", {"listener": ANOTHER}, {"revision": 2, "changed": True}),
    Call(f"{LISTENERS}/GetListener", {"name": "another"}, {"revision": 2}),
    Call(
        f"{LISTENERS}/UpdateListener",
        {"listener": {"name": "another", "limits": {"lifetime": {"seconds": 9}}}, "update_mask": {"paths": ["limits"]}},
        {"revision": 3, "changed": True},
    ),
    Call(f"{LISTENERS}/ListListeners", {"page_size": 1}, {"revision": 3}),
    Call(f"{LISTENERS}/DeleteListener", {"name": "another", "comment": "no longer needed"}, {"revision": 4}),
    Call(f"{CONFIG_SERVICE}/ListRevisions"),
    Call(f"{CONFIG_SERVICE}/GetRevision", {"revision": 3}),
    Call(f"{CONFIG_SERVICE}/RollbackConfig", {"revision": 3}, {"revision": 5, "changed": True}),
    Call(f"{CONFIG_SERVICE}/UpdateConfig", {"config": {"listeners": [ANOTHER]}}, {"revision": 6, "changed": True}),
    Call(f"{CONFIG_SERVICE}/RollbackConfig", {"revision": 1}, {"revision": 7, "changed": True}),
    Call(f"{LISTENERS}/AddFault", {"listener": "hello", "fault": {"reset": {}, "name": "x"}}, {"revision": 8}),
    Call(f"{LISTENERS}/RemoveFault", {"listener": "hello", "fault": "x"}, {"revision": 9, "changed": True}),
    Call(f"{JOURNAL}/CreateMark"),
    Call(f"{JOURNAL}/WatchExchanges", {"events": True}, {"started": True}, endless=True),
    Call(f"{JOURNAL}/ListExchanges", {"filter": {"listener": "hello"}}, {"exchanges": [ASKED]}),
    Call(f"{JOURNAL}/ListEvents", says={"events": [{"listener": "hello", "closed": {"requests": 1, "by": "server"}}]}),
    Call(f"{JOURNAL}/WaitForExchanges", {"count": 1, "timeout": NOW}, {"fulfilled": True, "exchanges": [ASKED]}),
    Call(
        f"{JOURNAL}/VerifyExchanges",
        {"filter": {"match": {"prefix": {"text": "he"}}}, "exactly": 1},
        {"outcome": "OUTCOME_HOLDS", "exchanges": [ASKED]},
    ),
    Call(f"{JOURNAL}/VerifyExchanges", {"never": True}, {"outcome": "OUTCOME_FAILS", "found": 1}),
    Call(f"{JOURNAL}/ClearExchanges", says={"exchanges": 1}),
    Call(f"{CONNECTIONS}/ListConnections"),
    Call(f"{CONNECTIONS}/CloseConnections", {"listener": "hello"}),
    Call(f"{OPERATIONS}/GetStatus", says={"state": "STATE_SERVING", "revision": 9}),
    Call(f"{OPERATIONS}/ResetCounters", {"listener": "hello", "rule": "greet"}, {"counters": 1}),
    Call(f"{OPERATIONS}/Signal", {"name": "go", "count": 2}, {"kept": 2}),
    Call(f"{OPERATIONS}/RestartWorkers", {"over": NOW}, {"worker": 1, "step": "RESTART_STEP_RESTARTED"}),
    Call(f"{OPERATIONS}/Drain", {"over": NOW}, {"state": "DRAIN_STATE_DRAINED"}),
    Call(f"{HEALTH}/Check", says={"status": "NOT_SERVING"}),
    Call(f"{OPERATIONS}/Resume", says={"listeners": ["hello"]}),
    Call(f"{HEALTH}/Check", {"service": "listener/hello"}, {"status": "SERVING"}),
    Call(f"{HEALTH}/List"),
    Call(f"{HEALTH}/Watch", {"service": "readiness"}, endless=True),
    Call("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", {"list_services": ""}),
    Call("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {"list_services": ""}),
)


def test_grpcurl_makes_every_call(serve: Serve) -> None:
    server = asked(serve(CONFIG))
    services = grpcurl(server, "list").split()
    assert {method.replace("/", ".") for method in methods()} == {
        method for service in services for method in grpcurl(server, "list", service).split()
    }
    for call in CALLS:
        options = ["-max-time", "2"] if call.endless else []
        options += ["-d", json.dumps(as_json(call.request))]
        check(call, objects(grpcurl(server, call.method, options=options, endless=call.endless)))


def test_node_makes_every_call(serve: Serve) -> None:
    server = asked(serve(CONFIG))
    calls = [{"method": call.method, "request": call.request, "first": call.endless} for call in CALLS]
    done = subprocess.run(
        ["node", str(NODE / "calls.js"), f"127.0.0.1:{server.admin}"],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["methods"]) == methods()
    for call, answer in zip(CALLS, found["answers"], strict=True):
        assert "error" not in answer, (call.method, answer)
        check(call, answer["answers"])


def methods() -> set[str]:
    return {call.method for call in CALLS}


def asked(server: RunningServer) -> RunningServer:
    """The server, when it has answered one request and closed the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"hello")
        assert client.makefile("rb").read() == b"hi"
    return server


def check(call: Call, answers: Sequence[Mapping[str, Any]]) -> None:
    """There is an answer, and the last one says what it ought to."""
    assert answers, call.method
    assert fits(answers[-1], call.says), (call.method, answers[-1])


def fits(said: Any, wanted: Any) -> bool:
    """Whether an answer has at least what is wanted; grpcurl writes 64-bit numbers as text, and no zeros."""
    if isinstance(wanted, Mapping):
        return isinstance(said, Mapping) and all(
            fits(said.get(name, said.get(camel(name))), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(said, list) and len(said) == len(wanted) and all(map(fits, said, wanted))
    return bool((int(said or 0) if isinstance(wanted, int) and not isinstance(wanted, bool) else said) == wanted)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def as_json(value: Any) -> Any:
    """A request as protobuf's JSON has it: durations are text there. (So are masks, but not to grpcurl 1.8.)"""
    if isinstance(value, Mapping):
        if value.keys() == {"seconds"}:
            return f"{value['seconds']}s"
        return {name: as_json(each) for name, each in value.items()}
    return value


def objects(text: str) -> Sequence[Mapping[str, Any]]:
    """The JSON objects of a text, one behind the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


def grpcurl(server: RunningServer, *words: str, options: Sequence[str] = (), endless: bool = False) -> str:
    """What it prints; a stream without end is left at its deadline."""
    command = [GRPCURL, "-plaintext", *options, f"127.0.0.1:{server.admin}", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    left = endless and "DeadlineExceeded" in done.stderr
    assert done.returncode == 0 or left, (command, done.stdout, done.stderr)
    return done.stdout
