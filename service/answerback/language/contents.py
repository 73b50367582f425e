"""The contents of files: small ones as bytes, large ones in memory that all processes share, each content once.

A large content is a sealed memfd, so that no process can change it: the supervisor fills it, and passes it to the
workers, which map it and send from the mapping. Two contents are the same if their SHA-256 is.
"""

import hashlib
import mmap
import os
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE, fcntl
from typing import Final

# Rule: a content never changes. What is kept of a file is what was read of it, whatever becomes of the file.
# Rule: a file is read again unless its inode, size and times are those of what was read, and were old by then: within
#       one tick of the clock that stamps files, it can be written twice.

LARGE_BYTES: Final = 256 << 10  # from here on shared: each takes a descriptor of every process, and there may be 64 MiB
CHUNK_BYTES: Final = 1 << 20  # read at a time
SETTLED_NANOSECONDS: Final = 2_000_000_000  # far past any such tick, and past the 1 s of old file systems

SEALS: Final = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL


class Large(ABC):
    """A large content."""

    __slots__ = ("__weakref__", "_size", "digest")

    def __init__(self, digest: bytes, size: int) -> None:
        self.digest = digest
        """Its SHA-256."""
        self._size = size

    def __len__(self) -> int:
        """The number of its bytes."""
        return self._size

    def __eq__(self, other: object) -> bool:
        """Whether it is the same content."""
        return isinstance(other, Large) and self.digest == other.digest

    def __hash__(self) -> int:
        """Equal for equal contents."""
        return hash(self.digest)

    @abstractmethod
    def view(self) -> memoryview:
        """Its bytes, read-only. Raises OSError if they cannot be mapped."""


class Sealed(Large):
    """A large content, as its owner holds it: by a descriptor, which is closed with the last reference to it."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int, digest: bytes, size: int) -> None:
        super().__init__(digest, size)
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def fileno(self) -> int:
        """The descriptor of the memfd."""
        return self._descriptor

    def view(self) -> memoryview:
        """Its bytes, read-only; mapped for as long as the view is used. Raises OSError."""
        return mapped(self._descriptor, len(self))


class Mapped(Large):
    """A large content, as a worker holds it."""

    __slots__ = ("_view",)

    def __init__(self, descriptor: int, digest: bytes, size: int) -> None:
        """Map what the descriptor names, which may be closed then. Raises OSError."""
        super().__init__(digest, size)
        self._view = mapped(descriptor, size)

    def view(self) -> memoryview:
        """Its bytes, read-only, mapped since it was made."""
        return self._view


Content = bytes | Large
"""The content of a file."""
Files = Mapping[str, Content]
"""The contents of the files that a configuration names, by the names in its `file` fields."""


class TooLarge(Exception):
    """There is more to read than is allowed."""


class Contents:
    """Reads files, and keeps each large content once, for as long as anything refers to it. May be used in threads."""

    def __init__(self, large: int = LARGE_BYTES) -> None:
        """`large`: how many bytes make a content a shared one."""
        self._large = large
        self._lock = threading.Lock()
        self._known: weakref.WeakValueDictionary[bytes, Sealed] = weakref.WeakValueDictionary()
        self._read: dict[tuple[int, int], tuple[tuple[int, int, int], weakref.ref[Sealed]]] = {}

    def read(self, descriptor: int, most: int) -> Content:
        """The content of an open regular file. Raises TooLarge, or OSError, without a descriptor for it for example."""
        before = os.fstat(descriptor)
        known = self._seen(before)
        if known is not None and len(known) <= most:
            return known
        content = self._content(descriptor, most)
        if isinstance(content, Sealed):
            self._note(before, os.fstat(descriptor), content)
        return content

    def of(self, data: bytes) -> Content:
        """The content that has these bytes. Raises OSError."""
        if len(data) < self._large:
            return data
        digest = hashlib.sha256(data).digest()
        known = self.known(digest)
        if known is not None:
            return known
        descriptor = _memory()
        try:
            _write(descriptor, data)
        except BaseException:
            os.close(descriptor)
            raise
        return self._keep(descriptor, digest, len(data))

    def known(self, digest: bytes) -> Content | None:
        """The large content with this digest, if anything refers to it still."""
        with self._lock:
            return self._known.get(digest)

    def _content(self, descriptor: int, most: int) -> Content:
        """The bytes of a descriptor, from its beginning."""
        first = _read(descriptor, min(self._large, most + 1), 0)
        if len(first) > most:
            raise TooLarge
        if len(first) < self._large:
            return first
        memory = _memory()
        try:
            total, size, chunk = hashlib.sha256(), 0, first
            while chunk:
                size += len(chunk)
                total.update(chunk)
                _write(memory, chunk)
                chunk = os.pread(descriptor, CHUNK_BYTES, size) if size <= most else b""
        except BaseException:
            os.close(memory)
            raise
        if size > most:
            os.close(memory)
            raise TooLarge
        return self._keep(memory, total.digest(), size)

    def _keep(self, memory: int, digest: bytes, size: int) -> Sealed:
        """Keep what is in a memfd, which is closed if the same is kept already."""
        fcntl(memory, F_ADD_SEALS, SEALS)
        with self._lock:
            known = self._known.get(digest)
            if known is None:
                self._known[digest] = known = Sealed(memory, digest, size)
                return known
        os.close(memory)
        return known

    def _seen(self, now: os.stat_result) -> Sealed | None:
        """The content of a file when it was last read, if it has not changed since."""
        with self._lock:
            stamp, content = self._read.get((now.st_dev, now.st_ino), (None, None))
            return content() if content is not None and stamp == _stamp(now) else None

    def _note(self, before: os.stat_result, after: os.stat_result, content: Sealed) -> None:
        """A file held this, and is as it was before it was read."""
        with self._lock:
            self._read = {file: (stamp, kept) for file, (stamp, kept) in self._read.items() if kept() is not None}
            settled = time.time_ns() - after.st_ctime_ns >= SETTLED_NANOSECONDS
            if settled and _stamp(before) == _stamp(after):
                self._read[after.st_dev, after.st_ino] = _stamp(after), weakref.ref(content)


def digest_of(content: Content) -> bytes:
    """The SHA-256 of a content."""
    return content.digest if isinstance(content, Large) else hashlib.sha256(content).digest()


def view_of(content: Content) -> bytes | memoryview:
    """The bytes of a content, not copied. Raises OSError if they cannot be mapped."""
    return content.view() if isinstance(content, Large) else content


def mapped(descriptor: int, size: int) -> memoryview:
    """A read-only mapping of a memfd. Raises OSError.

    It is private, which is the same if no process writes: before Linux 6.7, a sealed memfd could not be mapped shared.
    """
    return memoryview(mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))


def _memory() -> int:
    return os.memfd_create("answerback-file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _read(descriptor: int, most: int, offset: int) -> bytes:
    """Read a number of bytes from an offset on, or fewer at the end of the file."""
    data = b""
    while len(data) < most and (more := os.pread(descriptor, most - len(data), offset + len(data))):
        data += more
    return data


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
