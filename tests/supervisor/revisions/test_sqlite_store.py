"""The directory of `--state`: its owner, and directories that are rejected."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from answerback.supervisor import StartError
from answerback.supervisor.errors import StoreCorrupt, StoreFailed, StoreFull
from answerback.supervisor.revisions.sqlite import NAME, VERSION
from answerback.supervisor.revisions.sqlite_store import LOCK, SqliteStore, explained
from answerback.supervisor.revisions.store import Retention
from tests.supervisor.histories import fill, numbers, revision

KEEP = Retention()

HOLDER = """
import asyncio, sys
from pathlib import Path
from answerback.supervisor.revisions.store import Retention
from answerback.supervisor.revisions.sqlite_store import SqliteStore

async def main():
    await SqliteStore.open(Path(sys.argv[1]), Retention())
    print("held", flush=True)
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


async def refused(folder: Path, message: str) -> None:
    with pytest.raises(StartError, match=re.escape(f"--state {folder}: ") + message) as raised:
        await SqliteStore.open(folder, KEEP)
    assert "\n" not in str(raised.value)
    assert "; " in str(raised.value)  # what to do


async def reopened(folder: Path) -> None:
    await (await SqliteStore.open(folder, KEEP)).close()


async def test_state_directory_is_private_and_keeps_revisions(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    state = await SqliteStore.open(folder, KEEP)
    assert folder.stat().st_mode & 0o777 == 0o700
    made = await fill(state, 3)
    await state.close()
    again = await SqliteStore.open(folder, KEEP)
    assert await again.newest() == made[-1]
    await again.append(revision(4, store=again), after=3)
    assert await numbers(again) == [4, 3, 2, 1]
    await again.close()


async def test_state_directory_used_by_another_server_is_rejected(tmp_path: Path) -> None:
    state = await SqliteStore.open(tmp_path, KEEP)
    await refused(tmp_path, f"another server uses it; give each server its own directory; `fuser .*/{LOCK}` shows")
    await state.close()
    await reopened(tmp_path)


def test_state_directory_lock_ends_with_its_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        asyncio.run(refused(tmp_path, "another server uses it"))
        holder.kill()
    asyncio.run(reopened(tmp_path))


async def test_state_directory_that_cannot_be_made_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    await refused(tmp_path / "file", "File exists; use a writable directory")
    await refused(tmp_path / "no" / "parent", "No such file or directory; use a writable directory")


async def test_state_directory_with_later_schema_is_rejected(tmp_path: Path) -> None:
    await reopened(tmp_path)
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    await refused(tmp_path, f"{NAME} has schema 2, and .*; use the version that wrote it")


@pytest.mark.parametrize("damage", [b"not a database" * 999, b"\0" * 8192])
async def test_state_directory_with_damaged_database_is_rejected_unchanged(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / NAME).write_bytes(damage)
    await refused(tmp_path, f"{NAME} is (not a database|damaged); restore a backup, or move it away")
    assert (tmp_path / NAME).read_bytes() == damage


async def test_rejected_state_directory_is_unlocked(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"not a database" * 999)
    await refused(tmp_path, "")
    (tmp_path / NAME).unlink()
    await reopened(tmp_path)


async def test_state_database_damaged_while_open_raises_store_corrupt(tmp_path: Path) -> None:
    state = await SqliteStore.open(tmp_path, KEEP)
    await fill(state, 1)
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        connection.execute("UPDATE contents SET data = x'00'")
    with pytest.raises(StoreCorrupt, match=f"--state {re.escape(str(tmp_path))}: .* is damaged"):
        await state.get(1)
    await state.close()


async def test_append_to_a_moved_database_fails(tmp_path: Path) -> None:
    """Further writes of SQLite to that file would be lost."""
    state = await SqliteStore.open(tmp_path, KEEP)
    await fill(state, 1)
    (tmp_path / NAME).rename(tmp_path / "elsewhere")
    with pytest.raises(StoreFailed):
        await state.append(revision(2, store=state), after=1)
    (tmp_path / "elsewhere").rename(tmp_path / NAME)
    await state.append(revision(2, store=state), after=1)
    assert await numbers(state) == [2, 1]
    await state.close()


async def test_database_can_be_backed_up_while_open(tmp_path: Path) -> None:
    state = await SqliteStore.open(tmp_path, KEEP)
    await fill(state, 2)
    with closing(sqlite3.connect(tmp_path / NAME)) as source, closing(sqlite3.connect(tmp_path / "copy")) as copy:
        source.backup(copy)
        assert copy.execute("SELECT max(number) FROM revisions").fetchone() == (2,)
    await state.append(revision(3, store=state), after=2)
    await state.close()


@pytest.mark.parametrize(
    "code, kind",
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_READONLY, StoreFailed),
        (sqlite3.SQLITE_IOERR | (4 << 8), StoreFailed),
        (sqlite3.SQLITE_CORRUPT, StoreCorrupt),
        (sqlite3.SQLITE_CORRUPT | (1 << 8), StoreCorrupt),
    ],
)
def test_sqlite_error_code_maps_to_a_store_error(code: int, kind: type[StoreFailed]) -> None:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    assert explained(error)[0] is kind
    assert all(explained(error)[1:])
