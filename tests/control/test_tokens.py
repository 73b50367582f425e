"""Bearer tokens in files."""

import logging
from pathlib import Path

import pytest

from answerback.control import tokens
from answerback.control.tokens import HOW, LONGEST, TokenFile, read
from answerback.tls.private_files import BadFile

FIRST, SECOND = "0123456789abcdef" * 2, "Zz_-+/=~" * 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "token", FIRST + "\n")


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [FIRST, FIRST + "\n", f"  {FIRST}\r\n"])
def test_token_file_line_end_is_not_part_of_the_token(file: Path, text: str) -> None:
    file.write_text(text)
    assert read(file) == FIRST.encode()


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", f"is empty; {HOW}"),
        ("\n", f"is empty; {HOW}"),
        ("x" * 31 + "\n", f"the token has 31 bytes, fewer than 32; {HOW}"),
        ("two words" * 10, f"the token has blanks or bytes that are not ASCII; {HOW}"),
        ("é" * 40, f"the token has blanks or bytes that are not ASCII; {HOW}"),
        (FIRST + "\n" + SECOND, f"the token has blanks or bytes that are not ASCII; {HOW}"),
        ("x" * (LONGEST + 1), f"has more than {LONGEST} bytes"),
    ],
)
def test_token_file_without_valid_token_is_rejected(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    for use in (read, TokenFile):
        with pytest.raises(BadFile) as caught:
            use(file)
        assert str(caught.value) == f"{file}: {reason}"


def test_token_fits_itself_and_no_other(file: Path) -> None:
    token = TokenFile(file)
    assert token.fits(FIRST.encode())
    for other in (b"", FIRST[:-1].encode(), FIRST.encode() + b"0", FIRST.swapcase().encode() + b"x", SECOND.encode()):
        assert not token.fits(other)


def test_token_comparison_uses_equal_lengths_in_constant_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(tokens, "compare_digest", compare)
    token = TokenFile(file)
    for given in (b"", b"x" * 5000, FIRST.encode()):
        token.fits(given)
    assert [(len(one), len(other)) for one, other in compared] == [(32, 32)] * 3


def test_token_of_replaced_file_fits_at_the_next_call(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    token = TokenFile(file)
    written(file.with_name("new"), SECOND).rename(file)
    assert (token.fits(FIRST.encode()), token.fits(SECOND.encode())) == (False, True)
    file.write_text(FIRST)  # in place
    assert (token.fits(FIRST.encode()), token.fits(SECOND.encode())) == (True, False)
    assert [record.message for record in caplog.records] == ["a new token is active"] * 2


@pytest.mark.parametrize("text", ["", "short", None])
def test_invalid_new_token_leaves_the_former_active(
    file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    token = TokenFile(file)
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    for _ in range(3):
        assert token.fits(FIRST.encode())
        assert not token.fits((text or "").encode())
    (record,) = caplog.records
    assert record.message.startswith(f"the token before is still used: {file}: ")
    written(file, SECOND)
    assert (token.fits(FIRST.encode()), token.fits(SECOND.encode())) == (False, True)


@pytest.mark.parametrize("mode, warned", [(0o600, False), (0o640, False), (0o644, True)])
def test_token_file_open_to_all_is_warned_of_once(
    file: Path, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    file.chmod(mode)
    token = TokenFile(file)
    for _ in range(3):
        assert token.fits(FIRST.encode())
    expected = [f"the token file {file} is readable by all users of this machine: chmod o-r"] * warned
    assert [record.message for record in caplog.records] == expected


def test_token_appears_in_no_log_and_no_attribute(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file.chmod(0o644)
    token = TokenFile(file)
    file.write_text(FIRST[:20])
    token.fits(SECOND.encode())
    seen = caplog.text + repr(vars(token))
    assert FIRST[:20] not in seen
    assert SECOND not in seen
