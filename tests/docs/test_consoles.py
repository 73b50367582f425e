"""The runner of pages distinguishes a correct page from an incorrect one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.consoles import Command, Reader, blocks, commands


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    somebody = Reader(tmp_path)
    yield somebody
    somebody.end()


def page(*fenced: str) -> str:
    return "Words.\n\n" + "\n".join(f"```{block}\n```\n" for block in fenced)


def test_block_has_its_line_words_and_terminal() -> None:
    first, second = blocks(page("console server\n$ cat", "yaml\na: 1"), "page.md")
    assert (first.where, first.words, first.terminal, first.text) == (
        "page.md:3",
        ("console", "server"),
        "server",
        "$ cat\n",
    )
    assert (second.where, second.words, second.terminal) == ("page.md:7", ("yaml",), "")


def test_transcript_is_parsed_into_commands_and_output() -> None:
    transcript = "$ cat <<END\n> a\n> END\na\n$ sleep 9\nz\n^C\nbye\n"
    assert commands(transcript) == [
        Command("cat <<END\na\nEND", "a\n", None),
        Command("sleep 9", "z\n", "bye\n"),
    ]
    assert commands("later\n") == [Command("", "later\n", None)]


@pytest.mark.parametrize(
    "shown",
    [
        "$ echo one two\none two",
        "$ echo one two\none …",
        "$ seq 9\n1\n…\n9",
        "$ seq 9\n…",
        "$ printf 'a     b\\n'\na  b",
        "$ printf bare\nbare",
        "$ exit 3  # exit 3",
        "$ cat <<'END'\n> a $HOME\n> END\na $HOME",
        "$ cat page.yaml | tail -1\na: 127.0.0.1:8000",
        "$ echo 127.0.0.1 8000\n127.0.0.1 8000",
        "$ trap 'echo bye; exit 130' INT; echo hi; while :; do sleep 0.1; done\nhi\n^C\nbye",
    ],
)
def test_console_with_actual_output_passes(reader: Reader, shown: str) -> None:
    reader.read(blocks(page("yaml\n# page.yaml\na: 127.0.0.1:8000", f"console\n{shown}")))


@pytest.mark.parametrize(
    "shown",
    [
        "$ echo one two\none three",
        "$ echo one two",
        "$ echo one\none\ntwo",
        "$ seq 9\n1\n…\n8",
        "$ echo leading\n leading",
        "$ false",
        "$ false | true",
        "$ true  # exit 1",
        "$ nobody-has-this-program",
        "$ echo 127.0.0.1 8000\n127.0.0.1 8001",
        "$ echo hi\nho\n^C",
        "later",
    ],
)
def test_console_with_other_output_fails_with_its_line(reader: Reader, shown: str) -> None:
    with pytest.raises(AssertionError, match=r"^page\.md:3: "):
        reader.read(blocks(page(f"console\n{shown}"), "page.md"))


def test_program_in_a_terminal_runs_until_the_next_command_there(reader: Reader) -> None:
    told = "trap 'echo told > told; exit' INT; echo up; while :; do sleep 0.1; done"
    reader.read(
        blocks(
            page(
                f"console one\n$ {told}\nup",
                "console two\n$ tail -n 1 -F said 2>&1\n…",
                "console\n$ echo hear > said",
                "console two\nhear",
                "console one\n$ cat told\ntold",
            )
        )
    )


def test_marked_blocks_are_run_only_on_request(reader: Reader) -> None:
    read = blocks(page("console programs\n$ false", "console container\n$ touch here"))
    reader.read(read[1:])
    assert not (reader.folder / "here").exists()
    reader.read(read[1:], "container")
    assert (reader.folder / "here").exists()
    with pytest.raises(AssertionError, match="exit 1"):
        reader.read(read, "programs")


def test_ports_of_a_page_are_replaced_by_free_ports(reader: Reader) -> None:
    typed = reader.mine("nc 127.0.0.1 8000; docker run -p 8000:8000; a 0.0.0.0:8000 127.0.0.1:9000")
    ours = reader.mine("127.0.0.1:8000").rpartition(":")[2]
    assert ours != "8000"
    assert typed.startswith(f"nc 127.0.0.1 {ours}; docker run -p {ours}:8000; a 0.0.0.0:{ours} 127.0.0.1:")
    assert reader.theirs(f"at {ours}") == "at 8000\n"
