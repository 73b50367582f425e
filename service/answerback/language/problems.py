"""The problems of a configuration, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass

# Rule: a message says what is wrong and what would be right; it is never longer than a line or two, whatever it quotes.

MOST_PROBLEMS = 1000  # longer lists are not read to their end; and it bounds the cost of garbage
QUOTED = 60  # characters of a value that a message repeats
MOST_INSTRUCTIONS = 250_000  # of RE2, in all patterns: a worker compiles them in 2 s of CPU at the worst
LEAST_INSTRUCTIONS = 25  # what the smallest pattern costs beside its own


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `path` is from the root (`listeners[0].rules[2].do[1].send.hex`).

    Line and column are counted from 1.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """`12:7: listeners[0].address: …`, without the place if it came from no file."""
        place = f"{self.line}:{self.column}: " if self.line is not None else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class InvalidConfig(Exception):
    """A configuration is refused; `problems` has every reason, at least one. Nothing of it has taken effect."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class Enough(Exception):
    """The maximum number of problems was found; the search for more ends, because a file of garbage has any number."""


class Problems:
    """Collects problems as they are found; Enough ends the search."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._instructions = 0

    def add(self, path: str, message: str, line: int | None = None, column: int | None = None) -> None:
        """Add a problem. Raises Enough."""
        self._found.append(Problem(path, message, line, column))
        if len(self._found) == MOST_PROBLEMS:
            self._found.append(Problem("", f"there may be more than these {MOST_PROBLEMS} problems"))
            raise Enough

    def pattern(self, path: str, instructions: int) -> None:
        """Count the instructions of a pattern. Raises Enough if all patterns together have too many."""
        self._instructions += max(instructions, LEAST_INSTRUCTIONS)
        if self._instructions > MOST_INSTRUCTIONS:
            most = f"all patterns of a configuration have {MOST_INSTRUCTIONS} at most"
            self.add(
                path,
                f"counts as {instructions} instructions, {self._instructions} with the patterns before it; {most}. "
                "Write fewer or shorter patterns; equals, prefix, suffix and contains need none",
            )
            raise Enough

    def found(self) -> list[Problem]:
        """All of them, in the order found."""
        return list(self._found)


def quoted(text: str) -> str:
    """A value as a message repeats it: escaped, shortened."""
    return repr(text if len(text) <= QUOTED else text[: QUOTED - 1] + "…")


def step_into(path: str, name: str) -> str:
    """The path of a field of what is at `path`."""
    return f"{path}.{name}" if path else name
