"""Activating an earlier configuration again, on real workers."""

import socket
from pathlib import Path

import pytest

from answerback.language.problems import InvalidConfig
from answerback.supervisor import EtagMismatch, NotKept
from answerback.supervisor.audit import CALLER, Caller
from tests.ports import free_port
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import config, listener


async def test_rollback_makes_a_new_revision_with_the_old_content(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2)
    await supervisor.update(config(listener("two")), comment="an attempt")
    change = await supervisor.rollback(1, comment="back")
    assert (change.changed, change.workers, change.revision.number) == (True, 2, 3)
    assert (change.revision.origin, change.revision.comment) == ("rollback", "back")
    assert await supervisor.answers() == {b"one"}
    page = await supervisor.history.page("", 9, whole=False)
    assert [(one.number, one.origin, one.comment) for one in page.revisions] == [
        (3, "rollback", "back"),
        (2, "api", "an attempt"),
        (1, "file", ""),
    ]
    assert supervisor.status().last_applied is not None


async def test_rollback_without_comment_names_its_revision(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    await supervisor.update(config(listener("two")))
    assert (await supervisor.rollback(1)).revision.comment == "to revision 1"


async def test_rollback_restores_payload_files_of_the_revision(supervise: Supervise, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"before")
    supervisor = await supervise(listener("{file: page}"))
    (tmp_path / "page").write_bytes(b"after")
    await supervisor.reload()
    (tmp_path / "page").unlink()
    await supervisor.rollback(1)
    assert await supervisor.answers() == {b"before"}
    await supervisor.rollback(2)
    assert await supervisor.answers() == {b"after"}


async def test_rollback_to_active_configuration_makes_no_revision(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    change = await supervisor.rollback(1)
    assert (change.changed, change.revision.number) == (False, 1)


async def test_rollback_with_validate_only_changes_nothing(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    await supervisor.update(config(listener("two")))
    change = await supervisor.rollback(1, validate_only=True)
    assert (change.changed, change.revision.number, change.revision.config) == (False, 2, config(listener("one")))
    assert await supervisor.answers() == {b"two"}


async def test_rollback_with_stale_etag_or_unknown_revision_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    etag = supervisor.current.etag
    await supervisor.update(config(listener("two")))
    with pytest.raises(EtagMismatch):
        await supervisor.rollback(1, etag=etag)
    with pytest.raises(NotKept, match="revision 7 is not in the history"):
        await supervisor.rollback(7)
    assert supervisor.current.number == 2


async def test_rollback_to_a_port_now_in_use_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), listener(name="left", address=f"127.0.0.1:{free_port()}"))
    port = supervisor.port("left")
    await supervisor.update(config(listener("two")))
    with socket.create_server(("127.0.0.1", port)), pytest.raises(InvalidConfig, match="the port is in use"):
        await supervisor.rollback(1)
    assert supervisor.current.number == 2
    assert await supervisor.answers() == {b"two"}


async def test_revision_records_the_identity_of_its_caller(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    assert supervisor.current.identity == ""
    token = CALLER.set(Caller("ipv4:127.0.0.1:1", "alice.example"))
    await supervisor.update(config(listener("two")))
    CALLER.reset(token)
    assert supervisor.current.identity == "alice.example"
    assert (await supervisor.rollback(1)).revision.identity == ""
