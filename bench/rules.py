"""The cost of many rules beside one, of expressions and of counts: server CPU per request, in alternating pairs.

No request is like the one before it, so that the rules are gone through and no answer is remembered for long.
"""

# Rule: both servers get the same requests and send the same answers; only the rules differ.

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

from answerback.language.context import Compiling
from answerback.language.matching import compile_match
from answerback.v1 import config_pb2 as v1
from bench.load import Mode
from bench.results import Results, Ruled
from bench.roster import CONFIG_ADDRESS, Contender, Pairing, serve, started
from bench.run import Comparing
from bench.stats import spread

if TYPE_CHECKING:
    from answerback.core.context import RequestContext

EXACT, PATTERNS = 1_000, 50
ONE, MANY = "one", "many"

_PONG = 'do: [send: "+PONG\\r\\n"]'


@dataclass(frozen=True, slots=True)
class Kind:
    """Rules that are compared with one of them, or with another rule.

    `rule` writes the n-th; `other` is the rule that a single one is compared with, and what it is called.
    """

    name: str
    many: int
    rule: Callable[[int], str]
    mode: Mode
    other: tuple[str, str] = ("", "one")
    workers: int = 1
    more: str = ""
    """A rule for both sides, on another event."""

    @property
    def configurations(self) -> tuple[str, str]:
        """What is compared with, and what is measured."""
        one = self.other[0] or self.rule(0)
        more = (self.more,) * bool(self.more)
        return configuration(one, *more), configuration(*map(self.rule, range(self.many)), *more)


def exact(number: int) -> str:
    """A request, byte by byte."""
    return f'{{when: "*2\\r\\n$3\\r\\nGET\\r\\n$16\\r\\nkey:{number:012}\\r\\n", {_PONG}}}'


def pattern(number: int) -> str:
    """One request in a hundred, by its last digits; anchored, as patterns of commands are."""
    regex = rf"{{regex: '^\*2\r\n\$3\r\nGET\r\n\$16\r\nkey:(?P<key>[0-9]+){number:02}\r\n$'}}"
    return f"{{when: {regex}, {_PONG}}}"


def expression(_number: int) -> str:
    """Every request, by its first eleven bytes."""
    return f"""{{when: {{expr: "request[0:11] == '*2\\r\\n$3\\r\\nGET'"}}, {_PONG}}}"""


GET = 'when: {prefix: "*2\\r\\n$3\\r\\nGET"}'
PREFIX = f"{{{GET}, {_PONG}}}"


def template(_number: int) -> str:
    """Every GET: a reply with five values of it and its connection."""
    values = "${request_number} ${len(request)} ${request[22:34]} ${hex(u16be(crc32(request) & 0xffff))} ${state}"
    return f"""{{{GET}, do: [send: {{template: "+{values}\\r\\n"}}]}}"""


def shared(_number: int) -> str:
    """Every GET: a reply with a shared variable."""
    return f"""{{{GET}, do: [send: {{template: "+${{shared['greeting']}}\\r\\n"}}]}}"""


SET = """{event: CONNECT, do: [set: {shared: "'greeting'", value: "1234 40 123456789012 12345678 "}]}"""


def adding(_number: int) -> str:
    """Every GET: one more in a shared variable."""
    return f"""{{{GET}, do: [add: {{shared: "'gets'"}}, send: "+1234 40 123456789012 12345678 \\r\\n"]}}"""


CONSTANT = f'{{{GET}, do: [send: "+1234 40 123456789012 12345678 \\r\\n"]}}'


NEVER_REACHED = 10**15


def counted(scope: str) -> str:
    """Every GET, counted."""
    return f"{{{GET}, times: {NEVER_REACHED}, scope: {scope}, {_PONG}}}"


def asking(name: str, keys: int) -> Mode:
    """Request this number of different random keys."""
    command = ("-r", str(keys), "GET", "key:__rand_int__")
    return Mode(name, ("-k", "1"), 30_000, 500, command)


KINDS = (
    Kind("exact", EXACT, exact, asking("exact rules", EXACT)),
    Kind("regex", PATTERNS, pattern, asking("regex rules", 10**9)),
    Kind("expr of a slice", 1, expression, asking("expr", 10**9), (PREFIX, "prefix")),
    Kind("template of five values", 1, template, asking("template", 10**9), (CONSTANT, "a constant")),
    Kind("one shared variable", 1, shared, asking("shared", 10**9), (CONSTANT, "a constant"), workers=2, more=SET),
    Kind("add", 1, adding, asking("add", 10**9), (CONSTANT, "a constant"), workers=2),
    Kind("a constant", 1, lambda _number: CONSTANT, asking("constant", 10**9), (CONSTANT, "itself"), workers=2),
    Kind("times for each peer", 1, lambda _: counted("PEER"), asking("times", 10**9), (counted("LISTENER"), "for all")),
)


def configuration(*rules: str) -> str:
    """These rules, and one behind them that answers what they leave."""
    listener = f"listeners:\n  - name: bench\n    address: {CONFIG_ADDRESS}\n    framing: resp\n    rules:\n"
    written = "".join(f"      - {rule}\n" for rule in rules)
    return f"{listener}{written}      - {{{_PONG}}}\n"


def expr_alone(rounds: int) -> float:
    """The CPU of the match by `expr` over that by `prefix`: the median of alternating rounds in this process."""
    matches = [compile_match(v1.Match(**given), Compiling({})) for given in ALONE]
    requests = [b"PING %06d" % number for number in range(1000)]
    context = cast("RequestContext", None)  # neither looks at it
    ratios = []
    for _ in range(rounds):
        times = []
        for match in matches:
            begun = time.thread_time()
            for request in requests * 20:
                match(request, context)
            times.append(time.thread_time() - begun)
        ratios.append(times[0] / times[1])
    return median(ratios)


ALONE: tuple[dict[str, Any], ...] = ({"expr": "request[0:4] == 'PING'"}, {"prefix": v1.Literal(text="PING")})


class RulesBench(Comparing):
    """Runs the comparisons."""

    def measure(self, kind: Kind, build: Path) -> None:
        """Compare many rules of a kind with one, and add what was found to the results. Raises CouldNotRun."""
        scratch = Results(self.results.started, {}, {})
        with ExitStack() as stack:
            servers = {}
            for key, text in zip((ONE, MANY), kind.configurations, strict=True):
                launch = serve(f"{kind.name}-{key}.yaml", text, "callback", kind.workers)
                contender = Contender(key, f"{key} of {kind.name}", launch)
                servers[key] = stack.enter_context(started(contender, build, self.server_core))
            bench = self.load(servers, scratch)
            bench.run_mode(kind.mode, [Pairing(MANY, ONE, (kind.mode.name,))])
        self.results.missing += scratch.missing
        for comparison in scratch.comparisons:
            cost = {each.contender: each.microseconds for each in scratch.costs}
            more = spread([many - one for many, one in zip(cost[MANY].samples, cost[ONE].samples, strict=True)])
            self.results.rules.append(
                Ruled(kind.name, kind.many, cost[ONE], cost[MANY], comparison.ratio, more, kind.other[1])
            )
