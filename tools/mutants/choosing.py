"""All mutations of the tree, the sample for a seed, and the accepted mutations."""

# Rule: whether a mutation is in a sample depends on its own key and the seed, so that a change of one file does not
# change which mutations of the others are taken.

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from tools.mutants.operators import Mutation, mutations

PACKAGE: Final = Path("service/answerback")
ROOMS: Final = (
    "core", "net", "supervisor",
    "concurrency", "document", "importing", "language", "metrics", "recording", "shared", "tls",
)  # fmt: skip
ACCEPTED: Final = Path("tools/mutants/accepted.toml")

Key = tuple[str, str, str, str]


class StaleError(Exception):
    """The list of accepted mutations names some that do not exist, or gives no reason."""


def modules(root: Path, rooms: Sequence[str] = ROOMS) -> list[str]:
    """The rooms' modules: their paths below the package."""
    return [
        str(path.relative_to(root / PACKAGE))
        for room in rooms
        for path in sorted((root / PACKAGE / room).rglob("*.py"))
    ]


def all_mutations(root: Path, rooms: Sequence[str] = ROOMS, files: Sequence[str] = ()) -> list[Mutation]:
    """Of the rooms' modules; only of those whose path below the package matches one of `files`, if any is given."""
    found = []
    for file in modules(root, rooms):
        if not files or any(fnmatch(file, pattern) for pattern in files):
            found += mutations(file, (root / PACKAGE / file).read_text())
    return found


def sample(mutants: Iterable[Mutation], seed: int, size: int | None) -> list[Mutation]:
    """A sample of this size (None: all), in the order of the seed."""

    def place(mutant: Mutation) -> bytes:
        return hashlib.sha256(f"{seed} {mutant.key}".encode()).digest()

    return sorted(mutants, key=place)[:size]


def accepted(path: Path, root: Path) -> dict[Key, str]:
    """The reasons of the accepted mutations. Raises StaleError if one of them is not a mutation of today's code."""
    entries = tomllib.loads(path.read_text()).get("accepted", [])
    reasons: dict[Key, str] = {}
    wrong = []
    existing = {mutant.key for mutant in all_mutations(root, files=sorted({entry["file"] for entry in entries}))}
    for entry in entries:
        key = (entry["file"], entry["function"], entry["line"], entry["change"])
        if key not in existing:
            wrong.append(f"{key[0]}, {key[1]}: {key[2]!r}: {key[3]!r}: there is no such mutation (any more): remove it")
        if key in reasons:
            wrong.append(f"{key[0]}, {key[1]}: {key[2]!r}: {key[3]!r}: named twice")
        if not entry.get("reason", "").strip():
            wrong.append(f"{key[0]}, {key[1]}: {key[2]!r}: {key[3]!r}: has no reason")
        reasons[key] = entry.get("reason", "")
    if wrong:
        raise StaleError("\n".join(wrong))
    return reasons
