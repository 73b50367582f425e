"""A configuration before it becomes active."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from answerback.language.builtin import BUILT_IN
from answerback.language.problems import InvalidConfig, Problem
from answerback.supervisor.options import Options
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.rollout.candidate import CandidateLoader
from answerback.supervisor.rollout.config_file import ConfigFile
from answerback.v1 import config_pb2 as v1
from tests.supervisor.supervising import config, listener, text

PAGE = config(listener("{file: page}"))


def active(of: v1.Config = BUILT_IN, files: Mapping[str, bytes] | None = None) -> Revision:
    return Revision(1, "abc-1", of, files or {})


async def test_candidate_without_file_is_the_builtin_configuration() -> None:
    found = await CandidateLoader(Options()).built_in()
    assert (found.config, found.origin, dict(found.files)) == (BUILT_IN, "built-in", {})


async def test_candidate_from_file_has_configuration_origin_and_payload_files(tmp_path: Path) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener("{file: page}")))
    (tmp_path / "page").write_bytes(b"content")
    found = await CandidateLoader(Options()).from_file(ConfigFile(path).read())
    assert (found.config, found.origin, dict(found.files)) == (PAGE, "file", {"page": b"content"})


async def test_problems_of_syntax_and_content_are_reported_together(tmp_path: Path) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener(), listener(address="1.2.3.4:5").replace("rules", "rulse")))
    with pytest.raises(InvalidConfig) as raised:
        await CandidateLoader(Options()).from_file(ConfigFile(path).read())
    assert [(problem.path, problem.line) for problem in raised.value.problems] == [
        ("listeners[1].rulse", 9),
        ("listeners[1].name", 7),
    ]


async def test_candidate_configuration_is_a_copy_of_what_was_given() -> None:
    given = config(listener())
    found = await CandidateLoader(Options()).from_api(given, active(), "api")
    given.Clear()
    assert (found.config, found.origin) == (config(listener()), "api")


async def test_stored_file_is_used_if_none_can_be_read(tmp_path: Path) -> None:
    kept = {"page": b"kept"}
    found = await CandidateLoader(Options()).from_api(PAGE, active(PAGE, kept), "api")
    assert dict(found.files) == kept
    (tmp_path / "page").write_bytes(b"read")
    found = await CandidateLoader(Options(files=tmp_path)).from_api(PAGE, active(PAGE, kept), "api")
    assert dict(found.files) == {"page": b"read"}


async def test_file_neither_stored_nor_readable_is_rejected() -> None:
    with pytest.raises(InvalidConfig) as raised:
        await CandidateLoader(Options()).from_api(PAGE, active(), "api")
    assert [problem.path for problem in raised.value.problems] == ["listeners[0].rules[0].do[0].send.file"]


async def test_candidate_on_reserved_address_is_rejected() -> None:
    reserved = (("the admin API", "127.0.0.1:50051"),)
    with pytest.raises(InvalidConfig) as raised:
        await CandidateLoader(Options(reserved=reserved)).from_api(
            config(listener(address="0.0.0.0:50051")), active(), "api"
        )
    message = "0.0.0.0:50051 overlaps the admin API (127.0.0.1:50051)"
    assert raised.value.problems == (Problem("listeners[0].address", message),)


async def test_max_connections_beyond_the_descriptor_limit_is_rejected() -> None:
    limited = config(listener() + "  limits: {max_connections: 4000000000}\n")
    with pytest.raises(InvalidConfig) as raised:
        await CandidateLoader(Options()).from_api(limited, active(), "api")
    assert [problem.path for problem in raised.value.problems] == ["listeners[0].limits.max_connections"]
