"""Markdown pages as transcripts: the commands of `console` blocks are run and must print what is shown.

    ```console
    $ printf hi | nc 127.0.0.1 8000       a command: a line, and those below it that begin with `> `
    Hello, World!                         what it prints, exactly, but for runs of spaces
    $ answerback diff new.yaml  # exit 1  it fails, with this code
    … revision 2 …                        `…` is anything in a line; by itself, any lines or none
    ^C                                    Ctrl-C is pressed once what is above has been printed
    ```

A word behind `console` names a terminal of its own (`console server`): what was started there goes on while the page
does, until the next command there, or `^C`. A yaml block whose first line is `# NAME.yaml` is that file. Blocks marked
`programs` or `container` need what not every machine has, and are run only where that is asked for.
"""

# Rule: a page's ports are never used. Each stands for a free one while the page is run, in files, commands and output.

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from answerback.document.encode import dump
from answerback.language.builtin import BUILT_IN
from tests.ports import free_port
from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SECONDS: Final = 30.0
NEEDS: Final = {"programs", "container"}
FENCE: Final = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"# ([\w.-]+\.yaml)\n")
PORT: Final = re.compile(
    r"(?<=127\.0\.0\.1[: ])\d{4,5}\b|(?<=0\.0\.0\.0:)\d{4,5}\b|(?<=-p )\d{4,5}\b|(?<=agent-port )\d{4,5}\b"
)
EXIT: Final = re.compile(r"# exit (\d+)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: where it begins, the words behind its fence, and what is in it."""

    where: str
    words: tuple[str, ...]
    text: str

    @property
    def terminal(self) -> str:
        """The terminal whose transcript it is; empty for the one that all others share."""
        return next((word for word in self.words[1:] if word not in NEEDS), "")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a transcript, what it shows, and what it shows after Ctrl-C, if that is pressed."""

    line: str
    shows: str
    interrupted: str | None


def blocks(text: str, name: str = "") -> list[Block]:
    """The fenced blocks of a page."""
    return [
        Block(f"{name}:{text.count(chr(10), 0, found.start()) + 1}", tuple(found[1].split()), found[2])
        for found in FENCE.finditer(text)
    ]


def commands(transcript: str) -> list[Command]:
    """The commands of a transcript with their output; text before the first command belongs to an empty command."""
    found = []
    for part in re.split(r"^(?=\$ )", transcript, flags=re.MULTILINE):
        typed = re.match(r"\$ .*\n(?:> .*\n)*", part)
        line = re.sub(r"^[$>] ", "", typed[0], flags=re.MULTILINE).rstrip("\n") if typed else ""
        shows, pressed, after = part[typed.end() if typed else 0 :].partition("^C\n")
        if part:
            found.append(Command(line, shows, after if pressed else None))
    return found


def pattern(shows: str) -> str:
    """The regular expression for what a page shows."""
    return "".join(
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in evened(shows).splitlines()
    )


def evened(text: str) -> str:
    """Text whose columns may be wider or narrower; it ends with a newline, unless it is empty."""
    lines = [re.sub(r"(?<=\S) {2,}", "  ", line.rstrip()) for line in text.replace("\r\n", "\n").splitlines()]
    return "".join(f"{line}\n" for line in lines)


# A reader has set none of these; `make test ARGS=…` has, and make passes its variables to everything that it starts.
NOT_PASSED_ON = ("ANSWERBACK_", "MAKE", "ARGS", "VENV")


@dataclass
class Typed:
    """A command that runs, and what it has printed so far."""

    process: subprocess.Popen[bytes]
    printed: Path
    seen: int = 0
    """How much of it the page has shown so far."""

    def output(self) -> str:
        return self.printed.read_text(errors="replace")

    def interrupt(self) -> None:
        """Press Ctrl-C: the signal goes where a terminal sends it, to all of the command's processes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(SECONDS)

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Reader:
    """A reader of a page, who types each of its commands in a folder that looks like the repository."""

    folder: Path
    exchanged: dict[str, str] = field(default_factory=dict)
    """What is typed here for words of the page: names of other machines, say."""
    seconds: float = SECONDS
    """How long a command may take."""
    typed: list[Typed] = field(default_factory=list)
    terminals: dict[str, Typed] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        furnish(self.folder)
        (self.folder / "built-in.yaml").write_text(self.mine(dump(BUILT_IN)))
        admin, metrics = self.mine("127.0.0.1:50051"), self.mine("127.0.0.1:9464")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "service"),
            "NO_COLOR": "1",
            "ANSWERBACK_ADMIN": admin,
            "ANSWERBACK_SERVER": admin,
            "ANSWERBACK_METRICS": metrics,
            "ANSWERBACK_CONFIG": str(self.folder / "built-in.yaml"),  # the same, on a port of ours
        }

    def read(self, page: list[Block], marked: str = "") -> None:
        """Do what the blocks say that need nothing, or are `marked`; raises AssertionError with where it went wrong."""
        for block in page:
            if not (NEEDS & set(block.words)) - {marked}:
                self.do(block)

    def do(self, block: Block) -> None:
        """Write the file of a block, or type its commands."""
        if (named := FILE.match(block.text)) and block.words[0] == "yaml":
            (self.folder / named[1]).write_text(self.mine(block.text))
        elif block.words[:1] == ("console",):
            for command in commands(block.text):
                self.type(command, block)

    def type(self, command: Command, block: Block) -> None:
        """Type one command, or Ctrl-C, and look at what is shown."""
        here = self.terminals.pop(block.terminal, None)
        if command.line:
            if here:
                here.interrupt()
            here = self.start(command.line)
        assert here, f"{block.where}: nothing runs there"
        what = f"{block.where}: {command.line}\n"
        if command.interrupted is not None:
            self.await_shown(here, command, what)
            here.interrupt()
            self.compare(here, f"…\n{command.interrupted}", what)
        elif block.terminal:
            self.await_shown(here, command, what)
            self.terminals[block.terminal] = here
        else:
            code = here.process.wait(self.seconds)
            self.compare(here, command.shows, what)
            expected = int(found[1]) if (found := EXIT.search(command.line)) else 0
            assert code == expected, f"{what}exit {code}, not {expected}\n{here.output()}"

    def await_shown(self, here: Typed, command: Command, what: str) -> None:
        """Wait until a command that goes on has printed what is shown; at a later look, sooner or later."""
        expected = re.compile(pattern(command.shows if command.line else f"…\n{command.shows}"))

        def shown() -> re.Match[str] | None:
            whole, newline, _ = here.output().rpartition("\n")
            return expected.match(self.theirs(whole + newline), here.seen)

        try:
            eventually(lambda: here.process.poll() is not None or shown(), self.seconds)
        finally:
            found = shown()
            assert found, f"{what}{command.shows}\n--- but\n{here.output()}"
            here.seen = found.end()

    def compare(self, here: Typed, shows: str, what: str) -> None:
        """A command that has ended has printed what is shown, and nothing else."""
        said = self.theirs(here.output())
        assert re.fullmatch(pattern(shows), said), f"{what}{shows}\n--- but\n{said}"

    def start(self, line: str) -> Typed:
        """Start a command in a shell, in a process group of its own, as terminals do."""
        printed = self.folder / f".printed-{len(self.typed)}"
        with printed.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-o", "pipefail", "-c", self.mine(line)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self.typed.append(Typed(process, printed))
        return self.typed[-1]

    def mine(self, text: str) -> str:
        """The page's text with ports of ours, and whatever else is exchanged."""
        for page, ours in self.exchanged.items():
            text = text.replace(page, ours)
        return PORT.sub(lambda port: str(self.ports.setdefault(port[0], free_port())), text)

    def theirs(self, text: str) -> str:
        """What was printed, with the ports of the page."""
        for page, ours in self.ports.items():
            text = re.sub(rf"\b{ours}\b", page, text)
        return evened(text)

    def end(self) -> None:
        """End whatever the page left running."""
        for typed in self.typed:
            typed.end()


def furnish(folder: Path) -> None:
    """Give a folder what a clone has in which `make run` was once typed, so that nothing is installed any more."""
    for name in ("Makefile", "pyproject.toml", "requirements", "deploy", "service"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    for stamp in (".base", ".run"):
        (folder / ".venv" / stamp).touch()
