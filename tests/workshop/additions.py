# ruff: noqa: E501 - lines begin further left in the files that these texts become
"""One new kind for each family, and a function of expressions, written as CONTRIBUTING describes.

A kind is a field in the schema and three files: the runtime in `core`, the description in `language`, and a test. A
function is these three files.
"""

from dataclasses import dataclass, field
from typing import Final

PROTO: Final = "proto/answerback/v1/config.proto"


@dataclass(frozen=True, slots=True)
class Addition:
    """A kind that is added: texts of the schema, each with the text to insert before or after it, and new files."""

    family: str
    name: str
    message: tuple[str, str] | None = None
    """A place in the schema, and what is written before it."""
    member: tuple[str, str] | None = None
    """The last member of the choice, and what is written behind it."""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def touched(self) -> set[str]:
        """Every file that is written by hand."""
        return {*([PROTO] if self.member else []), *self.files}


FAULT: Final = Addition(
    "Fault",
    "twice",
    ("  // Do not send the bytes of a reply.", "  // Every piece of a reply is sent twice.\n  message Twice {}\n"),
    ("    Drop drop = 15;\n", "    Twice twice = 99;\n"),
    {
        "service/answerback/core/faults/twice.py": '''"""`twice`: a reply comes twice, piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import StepResult


@dataclass(frozen=True, slots=True)
class Twice:
    """Sends everything twice."""

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:  # noqa: ARG002 - nothing is left to chance
        """Pass on everything, and bytes twice."""
        for result in reply:
            yield result
            if sends(result):
                yield result
''',
        "service/answerback/language/faults/twice.py": '''"""`twice`: replies come twice."""

from answerback.core import faults
from answerback.core.faults.twice import Twice
from answerback.language.faults.base import FAULTS, FaultKind
from answerback.v1 import config_pb2 as v1


@FAULTS.kind("twice")
class TwiceKind(FaultKind):
    """Replies come twice."""

    example = "faults: [twice]"
    needs_bytes = True

    def compile(self, given: v1.Fault.Twice) -> faults.Effect:  # noqa: ARG002 - it has no fields
        """Make the effect."""
        return Twice()
''',
        "tests/core/faults/test_twice.py": """from answerback.core.actions import Send
from answerback.core.faults.twice import Twice
from tests.core.faults.faulty import conversation


def test_a_reply_comes_twice() -> None:
    conversation(Twice()) >> b"x\\n" << Send(b"xx")
""",
    },
)

STEP: Final = Addition(
    "Step",
    "shout",
    (
        "  // Do nothing: the request is not answered.\n",
        "  // Send the request in capitals.\n  message Shout {\n    // How often.\n    uint32 times = 1;\n  }\n",
    ),
    ("    Respond respond = 14;\n", "    Shout shout = 99;\n"),
    {
        "service/answerback/core/steps/shout.py": '''"""The step `shout`."""

from answerback.core.actions import Send
from answerback.core.steps.base import Step


def shout(times: int) -> Step:
    """Send the request in capitals, a number of times."""
    return lambda turn: Send(turn.request.upper() * times)
''',
        "service/answerback/language/steps/shout.py": '''"""`shout`: send the request in capitals."""

from answerback.core import steps
from answerback.core.steps.shout import shout
from answerback.language.context import Compiling
from answerback.language.fields import Number, Where, describe
from answerback.language.steps.base import STEPS, StepKind
from answerback.v1 import config_pb2 as v1


@STEPS.kind("shout")
class ShoutKind(StepKind):
    """Send the request in capitals."""

    fields = describe(
        v1.Step.Shout,
        Where.RULE,
        times=Number("do: [shout: {times: 2}]", default="`1`", least=1, most=9),
    )
    example = "do: [shout]"
    sends = True
    needs_request = True

    def compile(self, given: v1.Step.Shout, compiling: Compiling) -> steps.Step:  # noqa: ARG002 - it has no bytes
        """Make the step."""
        return shout(given.times or 1)
''',
        "tests/language/steps/test_shout.py": """from answerback.core.actions import Send
from answerback.language.check import check
from tests.core.playbook import Playbook
from tests.language.compiling import only
from tests.language.configurations import listener, rule, said


def test_a_request_comes_back_in_capitals() -> None:
    plan = only(listener(framing="line", rules="[{do: [shout: {times: 2}]}]"))
    Playbook(plan) >> b"hi\\n" << Send(b"HIHI")


def test_times_has_bounds() -> None:
    assert said(check(rule("do: [shout: {times: 10}]"), {})) == [
        "listeners[0].rules[0].do[0].shout.times: must be 1 to 9, not 10"
    ]
""",
    },
)

MATCH: Final = Addition(
    "Match",
    "palindrome",
    None,
    (
        "    Range request_number = 12;\n",
        "    // Whether the request reads the same from its end.\n    bool palindrome = 99;\n",
    ),
    {
        "service/answerback/core/matching/palindrome.py": '''"""The match `palindrome`."""

from answerback.core.context import RequestContext
from answerback.core.matching.base import Explainer, Matcher, Mismatch


def palindrome(wanted: bool) -> Matcher:
    """The request reads the same from its end, or it does not."""
    return lambda request, _context: (request == request[::-1]) is wanted


def explain_palindrome(wanted: bool) -> Explainer:
    """Explain `palindrome`."""
    matches = palindrome(wanted)

    def explain(request: bytes, context: RequestContext) -> Mismatch | None:
        return None if matches(request, context) else Mismatch(f"is {'no' if wanted else 'a'} palindrome")

    return explain
''',
        "service/answerback/language/matching/palindrome.py": '''"""`palindrome`: the request reads the same from its end."""

from answerback.core.matching import Explainer, Matcher
from answerback.core.matching.palindrome import explain_palindrome, palindrome
from answerback.language.context import Compiling
from answerback.language.matching.base import MATCHES, MatchKind


@MATCHES.kind("palindrome")
class PalindromeKind(MatchKind):
    """The request reads the same from its end."""

    example = "when: {palindrome: true}"

    def compile(self, given: bool, compiling: Compiling) -> Matcher:  # noqa: ARG002 - it has no bytes
        """Make the match."""
        return palindrome(given)

    def explain(self, given: bool, compiling: Compiling) -> Explainer:  # noqa: ARG002 - it has no bytes
        """Say what it is."""
        return explain_palindrome(given)
''',
        "tests/core/matching/test_palindrome.py": """from answerback.core.matching.palindrome import explain_palindrome, palindrome
from tests.core.matching.turns import asked
from tests.core.turns import MadeUp


def test_a_palindrome_reads_the_same_from_its_end() -> None:
    assert asked(palindrome(wanted=True), b"abba")
    assert not asked(palindrome(wanted=True), b"abc")
    miss = explain_palindrome(wanted=True)(b"abc", MadeUp())
    assert miss is not None
    assert miss.why == "is no palindrome"
""",
    },
)

FRAMING: Final = Addition(
    "Framing",
    "pairs",
    ("  // A Redis command (RESP2):", "  // Every two bytes are a request.\n  message Pairs {}\n"),
    ("    WebSocket websocket = 12;\n", "    Pairs pairs = 99;\n"),
    {
        "service/answerback/core/framing/pairs.py": '''"""Framing by pairs of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerback.core.framing.base import MAX_BATCH, Buffer, Stateless


@dataclass(frozen=True, slots=True)
class Pairs(Stateless):
    """Every two bytes are a request."""

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - the length says it all
        """See `Framing.split`."""
        end = min(len(buffer) // 2, MAX_BATCH) * 2
        return [bytes(buffer[at : at + 2]) for at in range(0, end, 2)], end

    def consumed(self, buffer: Buffer, requests: int) -> int:  # noqa: ARG002 - as above
        """See `Framing.consumed`."""
        return requests * 2

    def min_length(self, buffer: Buffer) -> int:  # noqa: ARG002 - as above
        """See `Framing.min_length`."""
        return 2
''',
        "service/answerback/language/framing/pairs.py": '''"""`pairs`: every two bytes are a request."""

from answerback.core.framing import Framing
from answerback.core.framing.pairs import Pairs
from answerback.language.context import Compiling
from answerback.language.framing.base import FRAMINGS, FramingKind
from answerback.v1 import config_pb2 as v1


@FRAMINGS.kind("pairs")
class PairsKind(FramingKind):
    """Every two bytes are a request."""

    runtime = Pairs
    example = "framing: pairs"

    def compile(self, given: v1.Framing.Pairs, compiling: Compiling) -> Framing:  # noqa: ARG002 - it has no fields
        """Make the framing."""
        return Pairs()
''',
        "tests/core/framing/test_pairs.py": """from answerback.core.framing.pairs import Pairs
from tests.core.framing.cutting import check_case


def test_two_bytes_are_a_request() -> None:
    check_case(Pairs(), b"abcde", [b"ab", b"cd"], b"e")
""",
    },
)

DELAY: Final = Addition(
    "Delay",
    "coin",
    ("  // The exponential distribution:", "  // Nothing, or a second.\n  message Coin {}\n"),
    ("    Exponential exponential = 5;\n", "    Coin coin = 99;\n"),
    {
        "service/answerback/core/coin.py": '''"""The delay `coin`."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Coin:
    """Nothing, or a second."""

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return float(chance.randint(0, 1))
''',
        "service/answerback/language/delays/coin.py": '''"""`coin`: nothing, or a second."""

from answerback.core.coin import Coin
from answerback.core.delays import Delay
from answerback.language.delays.base import DELAYS, DelayKind
from answerback.v1 import config_pb2 as v1


@DELAYS.kind("coin")
class CoinKind(DelayKind):
    """Nothing, or a second."""

    example = "do: [delay: {coin: {}}]"

    def compile(self, given: v1.Delay.Coin) -> Delay:  # noqa: ARG002 - it has no fields
        """Make the delay."""
        return Coin()
''',
        "tests/core/test_coin.py": """from random import Random

from answerback.core.coin import Coin


def test_a_coin_has_two_sides() -> None:
    chance = Random(1)
    assert {Coin().draw(chance) for _ in range(20)} == {0.0, 1.0}
""",
    },
)

FUNCTION: Final = Addition(
    "function of expressions",
    "rot13",
    files={
        "service/answerback/core/expressions/functions/rotation.py": '''"""The function `rot13`."""

from string import ascii_letters
from typing import Final

from answerback.core.expressions.errors import bounded

_TABLE: Final = bytes.maketrans(
    ascii_letters.encode(), b"".join(bytes((97 + (at + 13) % 26 - 32 * upper,)) for upper in (0, 1) for at in range(26))
)


def rot13(data: bytes) -> bytes:
    """Move ASCII letters by thirteen places."""
    bounded(len(data))
    return data.translate(_TABLE)
''',
        "service/answerback/language/expressions/functions/rotation.py": '''"""The function `rot13`."""

from answerback.core.expressions.functions import rotation
from answerback.language.expressions.functions.base import register, taking_bytes

register(taking_bytes("rot13", rotation.rot13, "ASCII letters moved by thirteen places", "rot13(verb)", "FRG"))
''',
        "tests/core/expressions/test_rotation.py": """from answerback.core.expressions.functions.rotation import rot13


def test_letters_are_moved_and_other_bytes_stay() -> None:
    assert rot13(b"Hello, \\xff") == b"Uryyb, \\xff"
""",
    },
)

ADDITIONS: Final = (FAULT, STEP, MATCH, FRAMING, DELAY)
"""A kind of each family."""
