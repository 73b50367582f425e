"""The cost of many rules compared with one: server CPU per request, both servers in alternating pairs.

No request is like the one before it, so that the rules are gone through and no answer is remembered for long.
"""

# Rule: both servers get the same requests and send the same answers; only the number of rules differs.

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.load import Mode
from bench.results import Results, Ruled
from bench.roster import CONFIG_ADDRESS, Contender, Pairing, serve, started
from bench.run import LoadBench, Progress
from bench.stats import spread

EXACT, PATTERNS = 1_000, 50
ONE, MANY = "one", "many"

_RULE = '      - {{when: {when}, do: [send: "+PONG\\r\\n"]}}\n'


@dataclass(frozen=True, slots=True)
class Kind:
    """Rules of a kind: how many they are compared with one, what the n-th is about, and what is asked."""

    name: str
    many: int
    when: Callable[[int], str]
    mode: Mode


def exact(number: int) -> str:
    """A request, byte by byte."""
    return f'"*2\\r\\n$3\\r\\nGET\\r\\n$16\\r\\nkey:{number:012}\\r\\n"'


def pattern(number: int) -> str:
    """One request in a hundred, by its last digits; anchored, as patterns of commands are."""
    return rf"{{regex: '^\*2\r\n\$3\r\nGET\r\n\$16\r\nkey:(?P<key>[0-9]+){number:02}\r\n$'}}"


def asking(name: str, keys: int) -> Mode:
    """Request this number of different random keys."""
    command = ("-r", str(keys), "GET", "key:__rand_int__")
    return Mode(name, ("-k", "1"), 30_000, 500, command)


KINDS = (
    Kind("exact", EXACT, exact, asking("exact rules", EXACT)),
    Kind("regex", PATTERNS, pattern, asking("regex rules", 10**9)),
)


def configuration(kind: Kind, rules: int) -> str:
    """So many rules of a kind, and one behind them that answers what they leave."""
    listener = f"listeners:\n  - name: bench\n    address: {CONFIG_ADDRESS}\n    framing: resp\n    rules:\n"
    written = "".join(_RULE.format(when=kind.when(number)) for number in range(rules))
    return f'{listener}{written}      - do: [send: "+PONG\\r\\n"]\n'


@dataclass(frozen=True, slots=True)
class RulesBench:
    """How the comparisons are run."""

    client: str
    server_core: int
    client_core: int
    pairs: int
    smoke: bool
    results: Results
    progress: Progress

    def measure(self, kind: Kind, build: Path) -> None:
        """Compare many rules of a kind with one, and add what was found to the results. Raises CouldNotRun."""
        scratch = Results(self.results.started, {}, {})
        with ExitStack() as stack:
            servers = {}
            for key, rules in ((ONE, 1), (MANY, kind.many)):
                launch = serve(f"{kind.name}-{key}.yaml", configuration(kind, rules), "callback")
                contender = Contender(key, f"{rules} {kind.name} rules", launch)
                servers[key] = stack.enter_context(started(contender, build, self.server_core))
            bench = LoadBench(servers, self.client, self.client_core, self.pairs, self.smoke, scratch, self.progress)
            bench.run_mode(kind.mode, [Pairing(MANY, ONE, (kind.mode.name,))])
        self.results.missing += scratch.missing
        for comparison in scratch.comparisons:
            cost = {each.contender: each.microseconds for each in scratch.costs}
            more = spread([many - one for many, one in zip(cost[MANY].samples, cost[ONE].samples, strict=True)])
            self.results.rules.append(Ruled(kind.name, kind.many, cost[ONE], cost[MANY], comparison.ratio, more))
