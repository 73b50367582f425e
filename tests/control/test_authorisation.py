"""The methods that each role may call."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.control import schema
from answerback.control.authorisation import (
    ANYBODY,
    CHANGES,
    JOURNAL,
    READS,
    PermissionDenied,
    Permit,
    Role,
    Tokens,
    Unauthenticated,
    authorise,
)
from answerback.control.tokens import TokenFile

VALUES = st.one_of(st.text(st.characters(), max_size=20).map("Bearer {}".format), st.text(), st.binary())
FULL, READ = "full" * 8, "read" * 8


def methods(services: Iterable[str] = schema.SERVICES) -> set[str]:
    """Every method of this server, by its descriptors: /package.Service/Method."""
    found = (schema.POOL.FindServiceByName(name) for name in services)  # type: ignore[no-untyped-call]
    return {f"/{service.full_name}/{method.name}" for service in found for method in service.methods}


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(token_file(tmp_path / "full", FULL), token_file(tmp_path / "read", READ))


def token_file(path: Path, token: str) -> TokenFile:
    path.write_text(token)
    path.chmod(0o600)
    return TokenFile(path)


def test_each_method_is_in_the_permission_table_once() -> None:
    tables = (READS, JOURNAL, CHANGES)
    listed = [f"/{service}/{method}" for table in tables for service in table for method in table[service]]
    assert sorted(listed) == sorted(methods())


def test_full_token_permits_every_method(tokens: Tokens) -> None:
    permit = tokens.authenticate([("authorization", f"Bearer {FULL}")])
    assert permit == Permit(Role.FULL, "token")
    for method in methods():
        authorise(permit, method)


def test_read_token_permits_only_methods_that_read(tokens: Tokens) -> None:
    permit = tokens.authenticate([("authorization", f"Bearer {READ}")])
    assert permit == Permit(Role.READ, "read token", journal=False)
    for method in methods():
        service, name = method[1:].split("/")
        if name in READS.get(service, ()):
            authorise(permit, method)
            continue
        with pytest.raises(PermissionDenied) as caught:
            authorise(permit, method)
        journal = name in JOURNAL.get(service, ())
        what = "reads payloads: see `serve --read-token-journal`" if journal else "changes something"
        assert str(caught.value) == f"the token allows only read access, and {name} {what}"


def test_read_token_reads_the_journal_if_it_may(tokens: Tokens) -> None:
    permit = Tokens(tokens.full, tokens.read, read_journal=True).authenticate([("authorization", f"Bearer {READ}")])
    for service, names in JOURNAL.items():
        for name in names:
            authorise(permit, f"/{service}/{name}")
    with pytest.raises(PermissionDenied):
        authorise(permit, "/answerback.v1.ConfigService/UpdateConfig")


def test_read_token_on_unlisted_method_is_denied() -> None:
    with pytest.raises(PermissionDenied):
        authorise(Permit(Role.READ, ""), "/answerback.v1.ConfigService/NewMethod")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_bearer_scheme_is_accepted_in_any_case(tokens: Tokens, scheme: str) -> None:
    assert tokens.authenticate([("user-agent", "x"), ("authorization", f"{scheme} {FULL}")]).role is Role.FULL


@pytest.mark.parametrize(
    "metadata, reason",
    [
        ([], "a token is required: metadata `authorization: Bearer TOKEN`"),
        ([("token", FULL)], "a token is required: metadata `authorization: Bearer TOKEN`"),
        ([("authorization", FULL)], "the metadata `authorization` must be one `Bearer TOKEN`"),
        ([("authorization", f"Basic {FULL}")], "the metadata `authorization` must be one `Bearer TOKEN`"),
        ([("authorization", "Bearer ")], "the metadata `authorization` must be one `Bearer TOKEN`"),
        ([("authorization", f"Bearer {FULL}")] * 2, "the metadata `authorization` must be one `Bearer TOKEN`"),
        ([("authorization", f"Bearer {FULL[1:]}")], "the token is unknown or has been replaced"),
        ([("authorization", f"Bearer {FULL},")], "the token is unknown or has been replaced"),
        ([("authorization", b"Bearer \xff\xfe")], "the token is unknown or has been replaced"),
    ],
)
def test_call_without_valid_token_is_rejected_with_the_reason(
    tokens: Tokens, metadata: list[tuple[str, str | bytes]], reason: str
) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.authenticate(metadata)
    assert str(caught.value) == reason


def test_server_without_tokens_permits_every_call() -> None:
    assert Tokens().authenticate([]) == ANYBODY
    assert Tokens().authenticate([("authorization", "Bearer x")]) == ANYBODY


def test_read_token_without_full_token_permits_no_change(tokens: Tokens) -> None:
    alone = Tokens(None, tokens.read)
    assert alone.authenticate([("authorization", f"Bearer {READ}")]).role is Role.READ
    for brought in ([], [("authorization", f"Bearer {FULL}")]):
        with pytest.raises(Unauthenticated):
            alone.authenticate(brought)


@given(st.lists(st.tuples(st.sampled_from(["authorization", "other"]), VALUES), max_size=3))
def test_call_with_random_metadata_is_unauthenticated(metadata: list[tuple[str, str | bytes]]) -> None:
    with TemporaryDirectory() as folder, pytest.raises(Unauthenticated):
        Tokens(token_file(Path(folder) / "full", FULL), None).authenticate(metadata)
