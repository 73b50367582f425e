"""The database of revisions: its content, and damaged files that are rejected."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from answerback.supervisor.errors import StoreCorrupt
from answerback.supervisor.revisions.sqlite import LARGEST, NAME, VERSION, Database, TooNew
from answerback.supervisor.revisions.store import Retention, Revision
from answerback.v1 import config_pb2 as v1
from tests.supervisor.histories import NOON, config

Open = Callable[..., Database]


@pytest.fixture
def open_database(tmp_path: Path) -> Iterator[Open]:
    """Open the database of this test, again and again: `open_database(count=3)`."""
    opened: list[Database] = []

    def start(count: int = 9) -> Database:
        opened.append(Database(tmp_path, Retention(count=count)))
        return opened[-1]

    yield start
    for database in opened:
        database.close()


def revision(database: Database, number: int, **files: bytes) -> Revision:
    return Revision(number, database.etag(number), config("same"), files, time=NOON)


def sql(folder: Path, statement: str) -> list[tuple[object, ...]]:
    """Ask the file itself."""
    with closing(sqlite3.connect(folder / NAME, isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def test_revision_in_database_is_read_after_reopening(open_database: Open) -> None:
    first = open_database()
    first.append(revision(first, 1, page=b"content"), 0)
    first.close()
    second = open_database()
    assert second.history == first.history
    assert second.get(1) == revision(first, 1, page=b"content")


def test_new_database_has_a_new_history_name(open_database: Open, tmp_path: Path) -> None:
    first = open_database()
    first.close()
    (tmp_path / NAME).unlink()
    assert open_database().history != first.history


def test_database_file_is_readable_by_its_owner_only(open_database: Open, tmp_path: Path) -> None:
    open_database()
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_database_at_rest_is_one_file(open_database: Open, tmp_path: Path) -> None:
    database = open_database()
    database.append(revision(database, 1), 0)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_equal_contents_are_stored_once_and_deleted_with_their_last_use(open_database: Open, tmp_path: Path) -> None:
    database = open_database(count=2)
    database.append(revision(database, 1, page=b"old"), 0)
    for number in range(2, 5):
        database.append(revision(database, number, page=b"new", copy=b"new"), number - 1)
    assert sql(tmp_path, "SELECT count(*) FROM contents") == [(2,)]  # a configuration, a page
    assert sql(tmp_path, "SELECT DISTINCT number FROM files ORDER BY 1") == [(3,), (4,)]


def test_revision_number_past_the_database_range_is_not_found(open_database: Open) -> None:
    database = open_database()
    assert database.get(LARGEST + 1) is None
    assert database.page(1 << 64, 1) == []


@pytest.mark.parametrize(
    "damage, message",
    [
        ("UPDATE contents SET data = x'00' WHERE length(data) = 7", "content [0-9a-f]{64} is damaged"),
        ("DELETE FROM contents WHERE length(data) = 7", "content [0-9a-f]{64} is missing"),
    ],
)
def test_damaged_content_raises_an_error(open_database: Open, tmp_path: Path, damage: str, message: str) -> None:
    database = open_database()
    database.append(revision(database, 1, page=b"content"), 0)
    sql(tmp_path, damage)
    with pytest.raises(StoreCorrupt, match=message):
        database.get(1)


def test_revision_that_is_no_configuration_raises_store_corrupt(
    open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database()
    with monkeypatch.context() as patched:
        patched.setattr(v1.Config, "SerializeToString", lambda *_, **__: b"\xff")
        database.append(revision(database, 1), 0)
    with pytest.raises(StoreCorrupt, match="revision 1 is no configuration"):
        database.get(1)


def test_database_with_later_schema_raises_too_new(open_database: Open, tmp_path: Path) -> None:
    open_database().close()
    sql(tmp_path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(TooNew, match=f"has schema {VERSION + 1}, and this Answerback knows no later one than"):
        open_database()


def test_database_of_another_program_is_rejected_unchanged(open_database: Open, tmp_path: Path) -> None:
    sql(tmp_path, "CREATE TABLE bookmarks (url)")
    with pytest.raises(StoreCorrupt, match="is a database of another program"):
        open_database()
    assert sql(tmp_path, "SELECT name FROM sqlite_schema") == [("bookmarks",)]


def test_database_with_damaged_page_is_rejected_when_opened(open_database: Open, tmp_path: Path) -> None:
    database = open_database()
    for number in range(1, 30):
        database.append(revision(database, number, page=bytes([number]) * 3000), number - 1)
    database.close()
    path = tmp_path / NAME
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xa5" * 4096 + whole[12288:])
    with pytest.raises((StoreCorrupt, sqlite3.DatabaseError)):
        open_database()


class FailsAfter:
    """A connection whose disk fails when the commit is done."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.failed = 0

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self._connection.execute(statement, *values)  # type: ignore[arg-type]
        if statement == "COMMIT":
            self.failed += 1
            raise sqlite3.OperationalError("disk I/O error")
        return cursor

    def executemany(self, statement: str, rows: list[tuple[object, ...]]) -> sqlite3.Cursor:
        return self._connection.executemany(statement, rows)


def test_append_that_fails_after_its_commit_is_kept(open_database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    database = open_database()
    failing = FailsAfter(database._connection)
    with monkeypatch.context() as patched:
        patched.setattr(database, "_connection", failing)
        database.append(revision(database, 1), 0)
        with pytest.raises(sqlite3.OperationalError):
            database.note_file(b"x")
    assert failing.failed == 2
    assert database.newest() == 1


def test_append_that_fails_before_its_commit_leaves_nothing(
    open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database()

    def fail(_: bytes) -> bytes:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(database, "_keep", fail)
        with pytest.raises(sqlite3.OperationalError):
            database.append(revision(database, 1), 0)
    assert database.newest() == 0
    database.append(revision(database, 1), 0)
    assert database.newest() == 1


def test_truncated_database_is_rejected(open_database: Open, tmp_path: Path) -> None:
    first = open_database()
    for number in (1, 2, 3):
        first.append(revision(first, number, page=bytes([number]) * 5000), number - 1)
    first.close()
    path = tmp_path / NAME
    whole = path.read_bytes()
    for size in (*range(0, 600, 50), *range(1024, len(whole), 1024), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises((StoreCorrupt, sqlite3.DatabaseError)):
            open_database()
        assert path.read_bytes() == whole[:size]
    path.write_bytes(whole)
    assert open_database().newest() == 3


def test_interrupted_creation_of_a_database_starts_again(open_database: Open, tmp_path: Path) -> None:
    for name in ("revisions.new", "revisions.new-journal"):
        (tmp_path / name).write_bytes(b"half")
    assert open_database().newest() == 0
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
