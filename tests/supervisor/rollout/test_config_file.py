"""The file of --config: the content that is read."""

import os
from pathlib import Path

import pytest

from answerback.language.problems import Problem
from answerback.supervisor.rollout import config_file
from answerback.supervisor.rollout.config_file import ConfigFile
from tests.supervisor.supervising import config, listener, text


def test_configuration_file_snapshot_has_document_and_payload_files(path: Path) -> None:
    path.write_text(text(listener("{file: page}")))
    (path.parent / "page").write_bytes(b"content")
    snapshot = ConfigFile(path).read()
    assert (snapshot.document.config, dict(snapshot.files)) == (config(listener("{file: page}")), {"page": b"content"})
    assert (snapshot.document.problems, snapshot.problems) == ((), ())


def test_config_file_digest_changes_only_with_content(path: Path) -> None:
    seen = ConfigFile(path)
    page = path.parent / "page"
    digests = [seen.read().digest]
    path.write_text(text(listener("{file: page}")))
    digests.append(seen.read().digest)  # it cannot be read yet
    page.write_bytes(b"a")
    digests.append(seen.read().digest)
    page.write_bytes(b"b")
    digests.append(seen.read().digest)
    path.unlink()
    digests.append(seen.read().digest)
    assert len(set(digests)) == 5
    path.write_text(text(listener("{file: page}")))
    os.utime(path, (1, 1))
    assert seen.read().digest == digests[3]


def test_configuration_file_that_cannot_be_read_is_a_problem(path: Path) -> None:
    path.unlink()
    snapshot = ConfigFile(path).read()
    assert snapshot.document.problems == (Problem("", f"cannot read {path}: No such file or directory"),)


def test_unchanged_config_file_is_parsed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ConfigFile(path)
    document = seen.read().document
    monkeypatch.setattr(config_file, "load", None)
    assert seen.read().document is document
