"""The description of a function: its types, its runtime, its cost, and an example that the tests run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from answerback.core.expressions import Reads, Type

# Rule: a function is one row of its family's module, and its runtime; nothing else names it.


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. A literal one is known when a configuration is loaded, and given to `prepare`."""

    name: str
    type: Type
    literal: bool = False
    optional: bool = False
    pattern: bool = False
    """Whether it is an RE2 pattern, which counts in the budget of all patterns."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A function whose literals are known."""

    of: Callable[..., Any]
    cost: int = 0
    """Its cost, if it depends on the literals; 0 if it is that of the function."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    doc: str
    example: str
    makes: str
    """The result of the example for the request on the reference page; escaped."""
    of: Callable[..., Any] | None = None
    """The runtime: a function of the values; of the context and the values, if it reads something of it."""
    prepare: Callable[..., Prepared] | None = None
    """Makes the runtime from the literals (None for one left out). Raises ValueError that says what is wrong."""
    reads: Reads = Reads.NOTHING
    cost: int = 1
    """The work for each byte that it reads: `LOOP_COST` for a loop of Python, or if each byte may become an object."""
    repeated: bool = False
    """Whether the last parameter may be given any number of times more."""

    @property
    def least(self) -> int:
        """The number of arguments that it needs."""
        return sum(not parameter.optional for parameter in self.parameters)

    @property
    def most(self) -> int | None:
        """The number of arguments that it takes; None for any number."""
        return None if self.repeated else len(self.parameters)

    @property
    def is_slow(self) -> bool:
        """Whether a byte costs more than one."""
        return self.cost > 1

    @property
    def form(self) -> str:
        """Its form: `int(x[, base])`."""
        needed = ", ".join(parameter.name for parameter in self.parameters if not parameter.optional)
        extra = "".join(f"[, {parameter.name}]" for parameter in self.parameters if parameter.optional)
        return f"{self.name}({needed}{extra}{', …' if self.repeated else ''})"


FUNCTIONS: Final[dict[str, Function]] = {}
"""Every function, by its name."""

X: Final = Parameter("x", Type.BYTES)
N: Final = Parameter("n", Type.INT)


def register(*functions: Function) -> None:
    """Add functions. Raises ValueError for a name that is taken."""
    for function in functions:
        if function.name in FUNCTIONS:
            raise ValueError(f"{function.name} is described already")
        FUNCTIONS[function.name] = function


def taking_bytes(
    name: str, of: Callable[..., Any], doc: str, example: str, makes: str, *, result: Type = Type.BYTES, cost: int = 1
) -> Function:
    """A function of bytes."""
    return Function(name, (X,), result, doc, example, makes, of, cost=cost)


def text_of(literal: bytes) -> str:
    """The text of a literal. Raises ValueError."""
    try:
        return literal.decode()
    except UnicodeDecodeError:
        raise ValueError("text is expected, and this is not UTF-8") from None


def taking_int(name: str, of: Callable[..., Any], doc: str, example: str, makes: str) -> Function:
    """A function from an int to bytes."""
    return Function(name, (N,), Type.BYTES, doc, example, makes, of)
