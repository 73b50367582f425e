"""What an import makes: a configuration that can be served, and notes of what has no equivalent in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from answerback.document import yaml_tree
from answerback.document.encode import dump
from answerback.document.values import fill
from answerback.importing.source import Unreadable, Value
from answerback.language.check import check
from answerback.language.problems import Problem
from answerback.v1 import config_pb2 as v1

# Rule: what comes out passes `answerback check`. What would not is left out, and noted at its place in their file.

MOST_NOTES = 1000
MOST_ROUNDS = 20  # of leaving out: one finds all problems, and a few are only found when others are gone
_PLACE = re.compile(r"listeners\[(\d+)\](?:\.(rules|faults)\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A configuration, and what it lacks of the file that it was made of."""

    config: v1.Config
    notes: Sequence[Problem]

    @property
    def text(self) -> str:
        """The configuration as YAML."""
        return dump(self.config)


class Notes:
    """Collects what has no equivalent; after MOST_NOTES it only counts."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._more = 0

    def add(self, problem: Problem) -> None:
        """Add a note; the same one counts once."""
        if problem in self._found or len(self._found) < MOST_NOTES:
            self._found[problem] = None
        else:
            self._more += 1

    def found(self) -> list[Problem]:
        """The notes in the order of the file, and how many more there are."""
        notes = sorted(self._found, key=lambda note: (note.line or 0, note.column or 0))
        return [*notes, Problem("", f"{self._more} more")] if self._more else notes


@dataclass(slots=True)
class Part:
    """A rule or a fault as in YAML, and what of the file it was made of."""

    value: dict[str, Any]
    source: Value


@dataclass(slots=True)
class Listener:
    """A listener as in YAML without its rules and faults, these, and what of the file it was made of."""

    value: dict[str, Any]
    source: Value
    rules: list[Part] = field(default_factory=list)
    faults: list[Part] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        """The listener as in YAML."""
        parts = {"rules": self.rules, "faults": self.faults}
        return self.value | {name: [each.value for each in found] for name, found in parts.items() if found}


def complete(listeners: Sequence[Listener], notes: Notes) -> Outcome:
    """The configuration with these listeners, without the parts that it could not be served with.

    Raises Unreadable if no configuration can be made.
    """
    remaining = list(listeners)
    problems: Sequence[Problem] = ()
    for _ in range(MOST_ROUNDS):
        config = v1.Config()
        problems = fill(config, {"listeners": [each.whole() for each in remaining]}) or check(config, {})
        if not problems:
            break
        remaining = _without(remaining, problems, notes)
    else:
        raise _impossible(problems[0])
    if len(dump(config).encode()) > yaml_tree.MAX_BYTES:
        raise Unreadable(Problem("", f"the configuration would be longer than {yaml_tree.MAX_BYTES} bytes"))
    return Outcome(config, notes.found())


def _impossible(problem: Problem) -> Unreadable:
    return Unreadable(Problem("", f"no configuration can be made of it: {problem}"))


def _without(listeners: Sequence[Listener], problems: Sequence[Problem], notes: Notes) -> list[Listener]:
    """The listeners without the parts that have problems, at least one. Raises Unreadable."""
    first: dict[tuple[int, str], dict[int, str]] = {}
    for problem in problems:
        if place := _PLACE.match(problem.path):
            within = problem.path[place.end() :].removeprefix(".")
            why = f"{within}: {problem.message}" if within else problem.message
            first.setdefault((int(place[1]), place[2] or ""), {}).setdefault(int(place[3] or 0), why)
    if not first:
        raise _impossible(problems[0])
    left = []
    for index, listener in enumerate(listeners):
        for why in first.get((index, ""), {}).values():
            notes.add(listener.source.problem(f"left out: {why}"))
        if (index, "") not in first:
            _leave_out(listener.rules, first.get((index, "rules"), {}), notes)
            _leave_out(listener.faults, first.get((index, "faults"), {}), notes)
            left.append(listener)
    return left


def _leave_out(parts: list[Part], dropped: Mapping[int, str], notes: Notes) -> None:
    for index in sorted(dropped, reverse=True):
        notes.add(parts.pop(index).source.problem(f"left out: {dropped[index]}"))
