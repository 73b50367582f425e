"""One table of calls, two clients."""

import ast
import asyncio
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

import answerback
from answerback import aio
from answerback import client as clients
from answerback.client.calls import Calls
from answerback.client.faces import call, run, stream
from answerback.client.rpcs import RPCS, SERVICES
from answerback.client.values import PLAIN
from answerback.control.schema import OURS, POOL
from tests.client.conftest import Face
from tests.client.test_calls import ECHO
from tests.system.conftest import RunningServer

ROOT = Path(answerback.__file__).parent


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def all_calls() -> list[tuple[str, Any]]:
    return [(name, found) for name, found in inspect.getmembers_static(Calls) if isinstance(found, call | stream)]


def test_every_rpc_has_a_method_of_its_name() -> None:
    """Those of gRPC's own health service aside."""
    assert {service.full_name for service in SERVICES} == set(OURS)
    rpcs = {snake(method.name): method.server_streaming for service in SERVICES for method in service.methods}
    assert len(RPCS) == len(rpcs), "two RPCs share a request"
    methods = {name: type(found) for name, found in all_calls()}
    assert methods == {name: stream if streams else call for name, streams in rpcs.items()} | {
        "health": call,
        "watch_health": stream,
    }


def test_every_method_says_what_it_does_and_takes_plain_values() -> None:
    for name, found in all_calls():
        assert found.__doc__, name
        shown = str(inspect.signature(vars(found)["__wrapped__"]))
        assert "_pb2" not in shown, name


def test_each_class_has_the_fields_of_its_message() -> None:
    for name, cls in PLAIN.items():
        if name == "answerback.v1.Problem":
            continue  # the problem of a text has a line and a column too
        message = POOL.FindMessageTypeByName(name)  # type: ignore[no-untyped-call]
        assert {field.name for field in dataclasses.fields(cls)} == set(message.fields_by_name), name


def test_results_are_plain_values(client: Face) -> None:
    client.do(lambda api: api.create_listener(ECHO))
    calls = (
        "get_config",
        "get_status",
        "list_revisions",
        "list_listeners",
        "resume",
        "reset_counters",
        "health",
        "create_mark",
    )
    for name in calls:
        assert_plain(client.do(methodcaller(name)))


def assert_plain(value: Any) -> None:
    if dataclasses.is_dataclass(value):
        assert type(value).__module__.startswith(("answerback.client.values.", "answerback.language.problems"))
        for field in dataclasses.fields(value):
            assert_plain(getattr(value, field.name))
    elif isinstance(value, dict):
        for key, item in value.items():
            assert type(key) is str
            assert_plain(item)
    elif isinstance(value, list | tuple):
        for item in value:
            assert_plain(item)
    else:
        assert type(value) in {str, bytes, int, bool, float, datetime, timedelta, type(None)}, value


def test_threads_share_a_client(running: RunningServer) -> None:
    found: list[int] = []
    with answerback.Client(running.admin) as client:
        threads = [threading.Thread(target=lambda: found.append(client.get_config().revision)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


async def test_tasks_share_a_client(running: RunningServer) -> None:
    async with aio.Client(running.admin) as client:
        found = await asyncio.gather(*(client.get_config() for _ in range(8)))
    assert len({each.revision for each in found}) == 1


def test_timeout_of_one_call_leaves_the_client_as_it_was(running: RunningServer) -> None:
    with answerback.Client(running.admin, timeout=20) as client:
        assert client.get_status().state == "SERVING"
        with pytest.raises(clients.DeadlineExceeded):
            client.with_timeout(-1.0).get_status()
        assert client.get_status().state == "SERVING"
        assert client.with_timeout(None).get_status().state == "SERVING"


def test_blocking_client_does_not_wait_for_an_event_loop() -> None:
    async def suspends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="cannot wait for an event loop"):
        run(suspends())


def test_client_shows_its_server_and_never_its_token() -> None:
    client = answerback.Client("127.0.0.1:1", token="secret" * 9)
    assert repr(client) == "answerback.client.client.Client('127.0.0.1:1')"
    assert "secret" not in repr(vars(client))
    client.close()


def test_importing_the_package_loads_nothing() -> None:
    code = "import sys; before = set(sys.modules); import answerback; print(sorted(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(found.stdout)) <= {"answerback", "importlib", "importlib._bootstrap", "typing"} | set(
        subprocess.run(
            [sys.executable, "-c", "import sys, typing, importlib; print(*sys.modules)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )


def test_type_checkers_see_the_names_that_the_package_has() -> None:
    stub = ast.parse((ROOT / "__init__.pyi").read_text())
    names = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names == set(vars(answerback)["_LAZY"])
    for name in names:
        assert getattr(answerback, str(name)) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = answerback.nonsense  # type: ignore[attr-defined]


def test_client_needs_only_the_packages_that_a_test_suite_has() -> None:
    """These are grpc, protobuf, googleapis-common-protos and PyYAML; grpc loads its siblings if it finds them."""
    code = (
        "import sys, answerback.aio, answerback.client; "
        "print(*{name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in found.stdout.split() if not name.startswith(("_", "site", "editable", "grpc_"))}
    assert loaded <= {"answerback", "google", "grpc", "yaml", "cython_runtime", "typing_extensions", "sitecustomize"}


def test_every_exported_name_exists() -> None:
    for module in ("answerback.client", "answerback.aio"):
        found = importlib.import_module(module)
        assert sorted(found.__all__) == list(found.__all__)
        assert all(hasattr(found, name) for name in found.__all__)
