"""The file of `--config`, and the files that it names: their content at one moment."""

# Rule: the content that was read is applied: nothing is read a second time.
# Rule: content is compared, never times or inodes: a ConfigMap is swapped by a symbolic link, an editor renames.

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from answerback.document.document import Document, load
from answerback.language.contents import Contents, Files, digest_of
from answerback.language.files import FilesBeside, read_files
from answerback.language.problems import Problem
from answerback.language.tls_files import with_absolute_paths
from answerback.v1 import config_pb2 as v1


@dataclass(frozen=True, slots=True)
class ConfigSnapshot:
    """The content of the file and of those that it names, at one moment."""

    document: Document
    files: Files
    problems: tuple[Problem, ...]
    """Problems with reading the named files."""
    digest: str
    """Equal exactly for equal content of all files."""


class ConfigFile:
    """Reads the file."""

    def __init__(self, path: Path, contents: Contents | None = None, text: bytes | None = None) -> None:
        """`contents`: where the contents of named files are kept. `text`: the content, unless `path` is read."""
        self.path = path
        self._text = text
        self._contents = contents or Contents()
        self._parsed: tuple[bytes, Document] = b"", load(b"")

    def read(self) -> ConfigSnapshot:
        """Read the file and those that it names. A file that cannot be read is a problem."""
        try:
            text = self.path.read_bytes() if self._text is None else self._text
        except OSError as error:
            problem = Problem("", f"cannot read {self.path}: {error.strerror or error}")
            return ConfigSnapshot(Document(v1.Config(), (problem,)), {}, (), _digest([str(problem).encode()]))
        former, document = self._parsed
        if text != former:
            document = load(text)
            absolute = with_absolute_paths(document.config, self.path.parent)
            document = replace(document, config=absolute)
            self._parsed = text, document
        files, problems = read_files(document.config, FilesBeside(self.path, self._contents))
        parts = [text, *(part for name, data in files.items() for part in (name.encode(), digest_of(data)))]
        digest = _digest([*parts, *(str(problem).encode() for problem in problems)])
        return ConfigSnapshot(document, files, tuple(problems), digest)


def _digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
