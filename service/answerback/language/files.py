"""The files that `file` fields name: read once, by the supervisor, and kept with the revision."""

import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from google.protobuf.message import Message

from answerback.language import payloads
from answerback.language.contents import Content, Contents, TooLarge
from answerback.language.problems import Enough, Problem, Problems, quoted, step_into
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1

# Rule: a caller of the API can name any file; only those in a directory that the operator chose are read.
# Rule: a file is regular, and read without waiting: no device, no pipe, no end of memory.

MAX_BYTES_IN_ALL = 64 << 20  # kept in memory as long as a configuration names them

_LONGEST_NAME = 4096  # PATH_MAX; resolving longer ones is quadratic

NO_FOLDER = "files cannot be read through the API without `serve --files DIR`"
OUTSIDE = "it is outside the directory of `serve --files`"

Read = Callable[[str], Content]


class Refusal(OSError):
    """A file is not read, whether or not it is there."""


def read_files(config: v1.Config, read: Read) -> tuple[dict[str, Content], list[Problem]]:
    """The content of everything that a `file` field names, and why something could not be read.

    `read` gets the name as given; it raises OSError. A file is read once, however often it is named.
    """
    files: dict[str, Content] = {}
    refused: dict[str, str] = {}
    problems = Problems()
    left = MAX_BYTES_IN_ALL
    with suppress(Enough):
        for path, name in file_names(config):
            if name not in files and name not in refused:
                try:
                    files[name] = _one(name, read, left)
                    left -= len(files[name])
                except OSError as problem:
                    refused[name] = problem.strerror or str(problem)
            if name in refused:
                problems.add(path, f"cannot read {quoted(name)}: {refused[name]}")
    return files, problems.found()


def file_names(part: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every `file` field of a configuration, or of a part of one: its path and what it says."""
    for place, message in messages(part, path):
        if isinstance(message, payloads.Source) and message.WhichOneof("bytes") == "file":
            yield step_into(place, "file"), message.file


def _one(name: str, read: Read, left: int) -> Content:
    if not name or "\0" in name or len(name) > _LONGEST_NAME:
        raise Refusal(errno.EINVAL, "that is not a file name")
    data = read(name)
    if len(data) > left:
        raise Refusal(errno.EFBIG, f"all files together are more than {MAX_BYTES_IN_ALL} bytes")
    return data


class FilesBeside:
    """Files as a configuration file may name them: relative to its folder, or anywhere."""

    def __init__(self, config_path: Path, contents: Contents | None = None) -> None:
        """Without `contents`, every content is plain bytes."""
        self._folder = config_path.parent
        self._contents = contents

    def __call__(self, name: str) -> Content:
        """The content. Raises OSError."""
        return _content(os.open(self._folder / name, _FLAGS), self._contents)


class FilesBeneath:
    """Files as the API may name them: in a folder or below it, wherever links lead; none without a folder."""

    def __init__(self, folder: Path | None, contents: Contents | None = None) -> None:
        """Without `contents`, every content is plain bytes."""
        self._folder = folder
        self._contents = contents

    def __call__(self, name: str) -> Content:
        """The content. Raises OSError."""
        if self._folder is None:
            raise Refusal(errno.EACCES, NO_FOLDER)
        top = Path(os.path.realpath(self._folder))
        real = Path(os.path.realpath(top / name))  # Path.resolve raises RuntimeError for a link to itself
        if not real.is_relative_to(top):
            raise Refusal(errno.EACCES, OUTSIDE)
        return _content(_open_beneath(top, real.relative_to(top)), self._contents)


_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def _open_beneath(top: Path, resolved: Path) -> int:
    """Open a path without following links: there are none in it, unless one was created since."""
    *folders, last = resolved.parts or (".",)
    at = os.open(top, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return os.open(last, _FLAGS | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)


def _content(descriptor: int, contents: Contents | None) -> Content:
    """The content of an open file, which is then closed."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refusal(errno.EINVAL, "that is not a regular file")
        return (contents or _PLAIN).read(descriptor, payloads.MAX_BYTES)
    except TooLarge:
        raise Refusal(errno.EFBIG, f"it is longer than {payloads.MAX_BYTES} bytes") from None
    except OSError as error:
        if error.errno == errno.EMFILE:
            limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            raise Refusal(errno.EMFILE, f"no descriptor is free to keep it (RLIMIT_NOFILE is {limit})") from None
        raise
    finally:
        os.close(descriptor)


_PLAIN = Contents(large=payloads.MAX_BYTES + 1)
