"""The report of a run: its progress, a table of the files, and the survivors."""

import sys
from collections import Counter
from collections.abc import Collection, Sequence

from tools.mutants.operators import Mutation
from tools.mutants.running import Fate, Verdict


def progress(done: int, of: int, text: str) -> None:
    """One line that replaces the last, on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{done}/{of} {text}"[:118], end="", file=sys.stderr, flush=True)


def table(verdicts: Sequence[Verdict], accepted: Collection[Mutation]) -> str:
    """A line for each file, and one for all."""
    fates: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        fates.setdefault(verdict.mutant.file, Counter())[verdict.fate.value] += 1
    for mutant in accepted:
        fates.setdefault(mutant.file, Counter())["accepted"] += 1
    width = max([len(file) for file in fates] + [10])
    columns = ("killed", "hung", "survived", "accepted")
    lines = [f"{'':{width}} " + " ".join(f"{column:>9}" for column in columns)]
    for file, counts in sorted(fates.items()):
        lines.append(f"{file:{width}} " + " ".join(f"{counts[column] or '':>9}" for column in columns))
    total = sum(fates.values(), Counter())
    lines.append(f"{'all':{width}} " + " ".join(f"{total[column]:>9}" for column in columns))
    return "\n".join(lines)


def share(verdicts: Sequence[Verdict]) -> float:
    """How many of a hundred were killed."""
    return 100 * sum(verdict.fate is not Fate.SURVIVED for verdict in verdicts) / max(len(verdicts), 1)


def survivor(mutant: Mutation) -> str:
    """What survived, as it would be accepted."""
    where = f"{mutant.file}:{mutant.line}" + (f" in {mutant.function}" if mutant.function else "")
    return f"survived: {where}: {mutant.change}\n    {mutant.text}"


def victim(verdict: Verdict) -> str:
    """What was noticed, and by what."""
    mutant = verdict.mutant
    what = f"{verdict.fate.value} in {verdict.seconds:.1f} s"
    return f"{what}: {mutant.file}:{mutant.line}: {mutant.change}: by {verdict.noticed}"


def entry(mutant: Mutation) -> str:
    """What accepts it in accepted.toml, but for the reason."""
    fields = {"file": mutant.file, "function": mutant.function, "line": mutant.text, "change": mutant.change}
    lines = [f"{name} = {_quoted(value)}" for name, value in fields.items()]
    return "\n".join(["[[accepted]]", *lines, 'reason = ""'])


def _quoted(value: str) -> str:
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
