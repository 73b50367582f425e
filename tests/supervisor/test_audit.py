"""The audit log: the caller of each change."""

import asyncio
import logging
from typing import Any

import pytest

from answerback.supervisor import audit
from answerback.supervisor.audit import CALLER, Caller


def fields(line: logging.LogRecord) -> dict[str, Any]:
    return {name: vars(line)[name] for name in ("peer", "identity", "comment", "revision") if name in vars(line)}


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_audit_line_without_caller_has_no_peer(caplog: pytest.LogCaptureFixture) -> None:
    audit.note("revision 1 is active", revision=1, comment="")
    assert [(line.name, line.message, fields(line)) for line in caplog.records] == [
        ("answerback.audit", "revision 1 is active", {"revision": 1})
    ]


async def test_audit_line_of_task_started_by_a_call_names_its_caller(caplog: pytest.LogCaptureFixture) -> None:
    async def change() -> None:
        audit.note("100 % done", comment="why")

    async def call(caller: Caller) -> None:
        CALLER.set(caller)
        await asyncio.shield(asyncio.create_task(change()))

    await asyncio.create_task(call(Caller("ipv4:127.0.0.1:1", "CN=ci")))
    await asyncio.create_task(call(Caller("unix:")))
    await change()
    assert [line.message for line in caplog.records] == ["100 % done"] * 3
    assert list(map(fields, caplog.records)) == [
        {"peer": "ipv4:127.0.0.1:1", "identity": "CN=ci", "comment": "why"},
        {"peer": "unix:", "comment": "why"},
        {"comment": "why"},
    ]
