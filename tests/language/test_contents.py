"""Large contents: kept once, sealed, shared, and read again when a file may have changed."""

import errno
import fcntl
import hashlib
import mmap
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from answerback.language import contents, payloads
from answerback.language.contents import Content, Contents, Large, Mapped, Sealed, TooLarge, digest_of, view_of
from answerback.language.files import FilesBeside
from tests.descriptors import Descriptors, descriptors

LARGE = 1000  # bytes, for these tests
HOUR = 3_600_000_000_000


@pytest.fixture
def pool() -> Contents:
    return Contents(large=LARGE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "page"
    path.write_bytes(bytes(range(250)) * 8)
    return path


def read(pool: Contents, path: Path, most: int = 1 << 20) -> Content:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return pool.read(descriptor, most)
    finally:
        os.close(descriptor)


def sealed(content: Content) -> Sealed:
    assert isinstance(content, Sealed)
    return content


def opened() -> Descriptors:
    """The open descriptors of files and of memory: not those that threads of libraries open meanwhile."""
    return descriptors("/memfd:", "/page", "/other")


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """At most this number of descriptors may be opened in this block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]  # none is free below the highest
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 1 + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


@pytest.mark.parametrize("size, large", [(0, False), (LARGE - 1, False), (LARGE, True), (LARGE + 1, True)])
def test_content_of_at_least_the_large_size_is_shared(pool: Contents, file: Path, size: int, large: bool) -> None:
    data = os.urandom(size)
    file.write_bytes(data)
    for content in (read(pool, file), pool.of(data)):
        assert isinstance(content, Large) is large
        assert len(content) == size
        assert bytes(view_of(content)) == data
        assert digest_of(content) == hashlib.sha256(data).digest()


def test_large_file_read_in_chunks_is_complete(pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "CHUNK_BYTES", 7)
    assert bytes(view_of(read(pool, file))) == file.read_bytes()


def test_equal_contents_share_one_object(pool: Contents, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(file.read_bytes())
    first = read(pool, file)
    assert read(pool, other) is first
    assert pool.of(file.read_bytes()) is first
    assert pool.known(digest_of(first)) is first


def test_contents_with_equal_digest_are_equal(pool: Contents) -> None:
    one, same, another = pool.of(b"a" * LARGE), Contents(large=LARGE).of(b"a" * LARGE), pool.of(b"b" * LARGE)
    assert one == same
    assert hash(one) == hash(same)
    assert one != another
    assert one != b"a" * LARGE
    mapped = Mapped(sealed(one).fileno(), digest_of(one), LARGE)
    assert mapped == one
    assert bytes(mapped.view()) == b"a" * LARGE


def test_shared_content_is_sealed_against_writes(pool: Contents) -> None:
    content = sealed(pool.of(b"a" * LARGE))
    assert fcntl.fcntl(content.fileno(), fcntl.F_GET_SEALS) == contents.SEALS
    with pytest.raises(PermissionError):
        os.pwrite(content.fileno(), b"b", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(content.fileno(), 1)
    with pytest.raises(PermissionError):
        mmap.mmap(content.fileno(), LARGE, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    assert content.view().readonly
    with pytest.raises(TypeError):
        content.view()[0] = 1


def test_content_without_references_closes_its_descriptor(pool: Contents, file: Path) -> None:
    before = opened()
    first = read(pool, file)
    digest = digest_of(first)
    assert not opened() <= before
    del first
    assert opened() <= before
    assert pool.known(digest) is None
    assert bytes(view_of(read(pool, file))) == file.read_bytes()


def test_view_stays_valid_after_its_content_is_gone(pool: Contents) -> None:
    view = view_of(pool.of(b"a" * LARGE))
    assert bytes(view) == b"a" * LARGE
    owner = sealed(pool.of(b"b" * LARGE))
    mapped = Mapped(owner.fileno(), owner.digest, LARGE)
    del owner
    view = mapped.view()
    del mapped
    assert bytes(view) == b"b" * LARGE


def settle(path: Path, monkeypatch: pytest.MonkeyPatch, after: int = HOUR) -> None:
    """Have it be so long after the file was changed."""
    now = path.stat().st_ctime_ns + after
    monkeypatch.setattr("time.time_ns", lambda: now)


def test_file_unchanged_for_long_is_not_read_again(pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(file, monkeypatch)
    first = read(pool, file)
    monkeypatch.setattr(os, "pread", None)
    assert read(pool, file) is first


@pytest.mark.parametrize("after", [0, contents.SETTLED_NANOSECONDS - 1, -HOUR])
def test_file_changed_just_before_is_read_again(
    pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    settle(file, monkeypatch, after)
    keep = read(pool, file)
    status = file.stat()
    monkeypatch.setattr(contents, "_stamp", lambda _: (status.st_size, 0, 0))  # written again within the same tick
    file.write_bytes(b"b" * status.st_size)
    assert bytes(view_of(read(pool, file))) == b"b" * status.st_size
    assert keep


@pytest.mark.parametrize("way", ["written", "replaced", "truncate", "longer", "old times"])
def test_changed_file_is_read_again(pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    settle(file, monkeypatch)
    first, status = read(pool, file), file.stat()
    data = {"truncate": b"b" * LARGE, "longer": b"b" * 5000}.get(way, b"b" * status.st_size)
    if way == "replaced":
        (file.parent / "new").write_bytes(data)
        os.utime(file.parent / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
        (file.parent / "new").rename(file)
    else:
        file.write_bytes(data)
    if way == "old times":
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert bytes(view_of(read(pool, file))) == data
    assert bytes(view_of(first)) == bytes(range(250)) * 8


def test_file_changed_while_read_is_read_again(pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(file, monkeypatch)
    write = contents._write
    written: list[int] = []

    def meanwhile(descriptor: int, data: bytes) -> None:
        if not written:
            written.append(file.write_bytes(b"b" * file.stat().st_size))
        write(descriptor, data)

    monkeypatch.setattr(contents, "_write", meanwhile)
    mixed = read(pool, file)
    assert bytes(view_of(read(pool, file))) == file.read_bytes()
    assert mixed


def test_file_content_past_its_size_limit_is_rejected_each_time(
    pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(file, monkeypatch)
    before = opened()
    for most in (10, LARGE - 1, LARGE, 1999):
        with pytest.raises(TooLarge):
            read(pool, file, most)
    assert opened() <= before
    keep = read(pool, file, 2000)
    with pytest.raises(TooLarge):
        read(pool, file, 1999)
    assert keep


def test_file_truncated_while_read_ends_there(pool: Contents, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = contents._write

    def meanwhile(descriptor: int, data: bytes) -> None:
        os.truncate(file, LARGE)
        write(descriptor, data)

    monkeypatch.setattr(contents, "_write", meanwhile)
    assert len(read(pool, file)) == LARGE


def run_out_of_descriptors(path: Path) -> None:
    """What the next test does in a process of its own: here threads of libraries open descriptors meanwhile."""
    pool = Contents(large=LARGE)
    before = opened()
    with descriptors_left(1), pytest.raises(OSError, match="no descriptor is free to keep it") as refused:
        FilesBeside(path, pool)("page")
    with descriptors_left(0), pytest.raises(OSError, match="Too many open files"):
        pool.of(b"a" * LARGE)
    assert refused.value.errno == errno.EMFILE
    assert opened() <= before
    assert len(FilesBeside(path, pool)("page")) == 2000


def test_content_without_free_descriptor_is_rejected_and_not_kept(file: Path) -> None:
    call = f"from {__name__} import run_out_of_descriptors as run, Path; run(Path({str(file)!r}))"
    ran = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_large_file_read_without_a_pool_is_plain_bytes(file: Path) -> None:
    with file.open("wb") as large:
        large.truncate(payloads.MAX_BYTES)
    before = opened()
    content = FilesBeside(file)("page")
    assert isinstance(content, bytes)
    assert len(content) == payloads.MAX_BYTES
    assert opened() <= before
