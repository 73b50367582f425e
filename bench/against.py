"""``python -m bench.against REF``: compare this tree with another commit. Exit 0: not worse; 1: worse; 2: usage.

Every load runs on three servers in turn: this tree, REF, and REF again. The second pair (REF against itself) shows
what the machine alone makes of two equal servers; a figure fails where it is past the greater of 1.03 and that.
"""

# Rule: one run, interleaved; figures of two runs are never compared.
# Rule: both trees run on the same Python and the same installed packages; only `service/` differs.

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import load, memory, report, rules
from bench.__main__ import CLIENT, choices, positive
from bench.cpu import Cores, usable_cores
from bench.results import Results
from bench.roster import HERE, Contender, Pairing, serve_by, started
from bench.run import LoadBench
from bench.server import CouldNotRun
from bench.stats import Spread, spread

ROOT = HERE.parent
PAIRS = 15
TOLERANCE = 1.03
WEIGHINGS = 3  # of the idle connections, each on fresh servers
SMOKE_CONNECTIONS = 2_000  # fewer may fit into memory that the server had before
AFTER, BEFORE, AGAIN = "this tree", "REF", "REF again"
ENGINES = ("callback", "coroutine")


@dataclass(frozen=True, slots=True)
class Work:
    """One thing that both trees are asked to do."""

    name: str
    engine: str
    config: str
    mode: load.Mode


PLAIN = (HERE / "answerback.yaml").read_text()
LOADS = (
    *(Work(f"{mode.name}-{engine}", engine, PLAIN, mode) for engine in ENGINES for mode in load.MODES),
    *(
        Work(f"{kind.name.replace(' ', '-')}-rules", "callback", kind.configurations[1], kind.mode)
        for kind in rules.KINDS
    ),
)
MEMORY = tuple(f"idle-{engine}" for engine in ENGINES)
WORKS = (*(work.name for work in LOADS), *MEMORY)


@dataclass(frozen=True, slots=True)
class Found:
    """One figure: this tree beside REF, and REF beside itself, as ratios."""

    name: str
    ratio: Spread
    itself: Spread

    @property
    def limit(self) -> float:
        """The ratio up to which the figure is no worse: never less than what two equal servers showed."""
        return max(TOLERANCE, self.itself.median, 1 / self.itself.median)

    @property
    def worse(self) -> bool:
        """Whether this tree costs more than can be explained."""
        return self.ratio.median > self.limit


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare as the options say and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.against", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ref", metavar="REF", help="the commit to compare with")
    parser.add_argument("--pairs", type=positive, default=PAIRS, help=f"of each load (default {PAIRS})")
    parser.add_argument("--works", type=partial(choices, list(WORKS)), default=list(WORKS), help=",".join(WORKS))
    parser.add_argument("--connections", type=positive, default=memory.CONNECTIONS, help="idle ones to weigh (10000)")
    parser.add_argument(
        "--no-journal", action="store_true", help="keep none in this tree: for a REF from before there was one"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny counts, nothing judged: does it work")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.pairs, options.connections = 1, SMOKE_CONNECTIONS
    try:
        with checked_out(options.ref) as before:
            found = compared(options, {AFTER: ROOT, BEFORE: before, AGAIN: before}, usable_cores())
    except CouldNotRun as problem:
        print(f"could not run: {problem}", file=sys.stderr)
        return 2
    console = Console()
    shown = table(found, options.ref, judged=not options.smoke)
    (console if console.is_terminal else Console(width=report.WIDTH)).print(shown)
    return 1 if any(each.worse for each in found) and not options.smoke else 0


@contextmanager
def checked_out(ref: str) -> Iterator[Path]:
    """A worktree of a commit, removed at the end. Raises CouldNotRun."""
    folder = Path(tempfile.mkdtemp(prefix="bench-against-"))
    try:
        git("worktree", "add", "--detach", str(folder / "tree"), ref)
        yield folder / "tree"
    finally:
        shutil.rmtree(folder)
        git("worktree", "prune")


def git(*arguments: str) -> None:
    """Run git in this repository. Raises CouldNotRun."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CouldNotRun((done.stderr.strip().splitlines() or ["git failed"])[-1])


def contender(key: str, tree: Path, work: str, config: str, engine: str) -> Contender:
    """The server of a tree, run by this Python."""
    program = ["env", f"PYTHONPATH={tree / 'service'}", sys.executable, "-m", "answerback.cli"]
    name = "".join(letter if letter.isalnum() else "-" for letter in f"{key}-{work}.yaml")
    return Contender(key, key, serve_by(program, name, config, engine))


def configured(config: str, key: str, options: argparse.Namespace) -> str:
    """What a tree is given."""
    return f"journal: {{enabled: false}}\n{config}" if options.no_journal and key == AFTER else config


def compared(options: argparse.Namespace, trees: dict[str, Path], cores: Cores) -> list[Found]:
    """Every figure that was asked for. Raises CouldNotRun."""
    client = shutil.which(CLIENT)
    if client is None:
        raise CouldNotRun(f"{CLIENT} is not installed (Debian: redis-tools)")
    loads = [work for work in LOADS if work.name in options.works]
    idle = [(name, engine) for name, engine in zip(MEMORY, ENGINES, strict=True) if name in options.works]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        build = Path(folder)
        found = [loaded(work, options, trees, cores, client, build) for work in loads]
        return found + [weighed(name, engine, options, trees, cores, build) for name, engine in idle]


def tell(line: str) -> None:
    """Report progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def loaded(
    work: Work, options: argparse.Namespace, trees: dict[str, Path], cores: Cores, client: str, build: Path
) -> Found:
    """Server CPU per request. Raises CouldNotRun if a server failed."""
    results = Results("", {}, {})
    with ExitStack() as stack:
        contenders = [
            contender(key, tree, work.name, configured(work.config, key, options), work.engine)
            for key, tree in trees.items()
        ]
        servers = {each.key: stack.enter_context(started(each, build, cores.server)) for each in contenders}
        bench = LoadBench(servers, client, cores.client, options.pairs, options.smoke, results, tell)
        bench.run_mode(work.mode, [Pairing(each, BEFORE, (work.mode.name,)) for each in (AFTER, AGAIN)])
    if results.missing:
        raise CouldNotRun(f"{work.name}: {results.missing[0].contender}: {results.missing[0].why}")
    ratios = {each.subject: each.ratio for each in results.comparisons}
    return Found(work.name, ratios[AFTER], ratios[AGAIN])


def weighed(
    name: str, engine: str, options: argparse.Namespace, trees: dict[str, Path], cores: Cores, build: Path
) -> Found:
    """User memory of an idle connection. Raises CouldNotRun."""
    connections = memory.connections_possible(options.connections)
    weights: dict[str, list[float]] = {key: [] for key in trees}
    for _ in range(1 if options.smoke else WEIGHINGS):
        for key, tree in trees.items():
            config = configured(PLAIN, key, options)
            with started(contender(key, tree, name, config, engine), build, cores.server) as server:
                weights[key].append(memory.measure_memory(key, server, connections).greater_bytes)
            tell(f"{name}: {key} {weights[key][-1]:.0f} bytes")
    before = median(weights[BEFORE])
    if before <= 0:
        raise CouldNotRun(f"{name}: {connections} connections took no memory that can be measured: open more")
    return Found(name, *(spread([weight / before for weight in weights[key]]) for key in (AFTER, AGAIN)))


def table(found: Sequence[Found], ref: str, *, judged: bool) -> Table:
    """Every figure with its limit and, if they are judged, whether it is met."""
    shown = Table(title=f"This tree beside {ref}: ratios, median (least–greatest)")
    for heading in ("figure", f"this tree / {ref}", f"{ref} / itself", "limit", ""):
        shown.add_column(heading, justify="left" if heading in {"figure", ""} else "right")
    for each in found:
        word = "" if not judged else "[red]worse[/]" if each.worse else "[green]no worse[/]"
        shown.add_row(each.name, ratio(each.ratio), ratio(each.itself), f"{each.limit:.3f}", word)
    return shown


def ratio(given: Spread) -> str:
    """A ratio and its spread."""
    return f"{given.median:.3f} ({given.least:.2f}–{given.greatest:.2f})"


if __name__ == "__main__":
    sys.exit(main())
