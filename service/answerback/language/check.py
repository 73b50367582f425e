"""Everything that may be wrong with a configuration beside its form, whether it came from a file or through the API."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-not-found]  # types-protobuf forgot it

from answerback.core import patterns
from answerback.language import addresses, bounds
from answerback.language.contents import Files
from answerback.language.context import Checking
from answerback.language.faults import check_fault, fault_key
from answerback.language.forwarding import check_forwarding
from answerback.language.framing import check_framing
from answerback.language.journal import check_journal, check_listener_journal
from answerback.language.limits import check_limits
from answerback.language.problems import Enough, Problem, Problems, quoted, step_into
from answerback.language.proxy_protocol import check_proxy_protocol, without_peers
from answerback.language.requests import longest_reply, longest_request, scope_of
from answerback.language.rules import check_rule, rule_key, scope_of_rule
from answerback.language.tls import check_steps, check_tls
from answerback.language.toxiproxy import check_notes
from answerback.language.traverse import messages
from answerback.language.upstreams import check_loops, check_upstream
from answerback.v1 import config_pb2 as v1
from answerback.v1 import options_pb2

# Rule: every problem is found in one go; one check never hides what another would find.
# Rule: what is checked first is what bounds the work of the rest.

MAX_LISTENERS = 256  # each has a socket in every worker
MAX_STATES = 1000  # of one listener, that rules are for
MAX_TABLED = 500_000  # rules in the tables of all its states: 150 bytes each, and each state has its own
MAX_FAULTS = 32  # of a listener: each is a generator around the one before it
MAX_RULES = 10_000  # in all listeners; each has a place in the tally

_FOR_TCP = (v1.ACCEPT_REFUSE, v1.ACCEPT_STALL)  # a Unix socket never listens again after a shutdown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NAME_FORM = "letters, digits, `.`, `_` and `-`, the first a letter or digit, 63 at most"
_MAX_COUNTED_NAME = 128  # of a rule or fault: it is the value of a metric's label


def check(
    config: v1.Config,
    files: Files,
    *,
    reserved: Sequence[tuple[str, str]] = (),
    descriptor_limit: int | None = None,
    pause: Callable[[], None] = lambda: None,
) -> list[Problem]:
    """Every problem of a configuration; none if it can be applied.

    `files`: what could be read of its files; what is missing there has been reported by `read_files`.
    `reserved`: what our own ports are for, and their addresses (`("the admin API", "127.0.0.1:50051")`).
    `descriptor_limit`: how many descriptors a process may have at most. `pause` is called after each pattern.
    """
    problems = Problems()
    with suppress(Enough), patterns.compiling(patterns.Compiler(patterns.LEAST_MEMORY, pause=pause)):
        _check(config, files, reserved, descriptor_limit, problems)
    return problems.found()


def _check(
    config: v1.Config,
    files: Files,
    reserved: Sequence[tuple[str, str]],
    descriptor_limit: int | None,
    problems: Problems,
) -> None:
    listeners = config.listeners[:MAX_LISTENERS]
    if len(config.listeners) > MAX_LISTENERS:
        problems.add("listeners", f"{len(config.listeners)} listeners; the maximum is {MAX_LISTENERS}")
    _fields(config, problems)
    check_journal(config.journal, Checking(problems, files))
    _names(listeners, problems)
    _addresses(listeners, reserved, problems)
    check_loops(listeners, problems)
    check_notes(listeners, problems)
    left = MAX_RULES
    for index, listener in enumerate(listeners):
        _Listener(listener, f"listeners[{index}]", problems).check(files, descriptor_limit, left)
        left = max(0, left - len(listener.rules))
    total = sum(len(listener.rules) for listener in listeners)
    if total > MAX_RULES:
        problems.add("listeners", f"{total} rules in all; the maximum is {MAX_RULES}")


def _fields(config: v1.Config, problems: Problems) -> None:
    """What a newer client set and this server would pass over; and what is needed and not there."""
    for path, message in messages(config):
        for unknown in UnknownFieldSet(message):
            problems.add(path, f"field number {unknown.field_number} is not known to this version")
        required = _required(message.DESCRIPTOR)
        given = {field.name for field, _ in message.ListFields()} if required else ()
        for name in required:
            if name not in given:
                problems.add(step_into(path, name), "missing: it has no default")


@cache
def _required(kind: Descriptor) -> tuple[str, ...]:
    """The fields without which a message says nothing."""
    return tuple(field.name for field in kind.fields if field.GetOptions().Extensions[options_pb2.required])


def _names(listeners: Sequence[v1.Listener], problems: Problems) -> None:
    first: dict[str, int] = {}
    for index, listener in enumerate(listeners):
        path = f"listeners[{index}].name"
        if not listener.name:
            problems.add(path, "missing: a listener needs a name")
        elif not _NAME.fullmatch(listener.name):
            problems.add(path, f"{_NAME_FORM}, not {quoted(listener.name)}")
        elif first.setdefault(listener.name, index) != index:
            problems.add(path, f"{listener.name} is already the name of listeners[{first[listener.name]}]")


def _addresses(listeners: Sequence[v1.Listener], reserved: Sequence[tuple[str, str]], problems: Problems) -> None:
    before: list[tuple[addresses.Listening, int]] = []
    for index, listener in enumerate(listeners):
        path = f"listeners[{index}].address"
        try:
            address = addresses.parse(listener.address)
        except ValueError as problem:
            problems.add(path, str(problem))
            continue
        ours = addresses.occupied(address, reserved)
        if ours:
            problems.add(path, f"{address} overlaps {ours}")
        other = next((each for each in before if address.overlaps(each[0])), None)
        if other:
            problems.add(path, f"{address} overlaps {other[0]} (listeners[{other[1]}])")
        before.append((address, index))


class _Listener:
    """The checks of one listener but those that need to see the others."""

    def __init__(self, listener: v1.Listener, path: str, problems: Problems) -> None:
        self._listener = listener
        self._path = path
        self._problems = problems

    def check(self, files: Files, descriptor_limit: int | None, most_rules: int) -> None:
        """Find all problems; only a limited number of rules is checked."""
        bounds.enum(v1.Engine.DESCRIPTOR, self._listener.engine, self._at("engine"), self._problems)
        bounds.enum(v1.Accept.DESCRIPTOR, self._listener.accept, self._at("accept"), self._problems)
        if self._listener.HasField("framing"):
            check_framing(self._listener.framing, self._at("framing"), Checking(self._problems, files))
        check_limits(self._listener.limits, self._at("limits"), Checking(self._problems, files), descriptor_limit)
        check_listener_journal(self._listener.journal, self._at("journal"), Checking(self._problems, files))
        if self._listener.HasField("upstream"):
            check_upstream(self._listener, self._path, Checking(self._problems, files))
        if self._listener.HasField("tls"):
            check_tls(self._listener.tls, self._at("tls"), Checking(self._problems, files))
        check_steps(self._listener, self._path, Checking(self._problems, files))
        check_forwarding(self._listener, self._path, Checking(self._problems, files))
        if addresses.is_unix(self._listener) and self._listener.accept in _FOR_TCP:
            why = "a Unix socket can neither refuse nor stall: use CLOSE, RESET or HOLD"
            self._problems.add(self._at("accept"), why)
        check_proxy_protocol(self._listener, self._path, Checking(self._problems, files))
        if without_peers(self._listener) and self._listener.limits.max_connections_per_peer:
            why = "clients of a Unix socket have no address: set max_connections instead"
            self._problems.add(self._at("limits.max_connections_per_peer"), why)
        rules = self._listener.rules[:most_rules]
        of_request, of_reply = longest_request(self._listener), longest_reply(self._listener)
        shared = scope_of(self._listener)
        self._keys("rules", [rule_key(rule, index) for index, rule in enumerate(rules)])
        for index, rule in enumerate(rules):
            scope = scope_of_rule(rule, rule_key(rule, index), shared)
            here = f"{self._path}.rules[{index}]"
            longest = of_reply if rule.event == v1.EVENT_REPLY else of_request
            check_rule(rule, here, files, self._problems, longest=longest, scope=scope)
        self._faults(Checking(self._problems, files))
        states = {state for rule in rules for state in rule.in_states}
        if len(states) > MAX_STATES:
            self._problems.add(self._at("rules"), f"{len(states)} states; the maximum is {MAX_STATES}")
        elif len(states) * len(rules) > MAX_TABLED:
            why = f"the maximum is {MAX_TABLED // len(states)} rules with this number of states"
            self._problems.add(self._at("rules"), f"{len(rules)} rules in {len(states)} states; {why}")

    def _at(self, field: str) -> str:
        return step_into(self._path, field)

    def _faults(self, checking: Checking) -> None:
        faults = self._listener.faults[:MAX_FAULTS]
        names = {rule_key(rule, index) for index, rule in enumerate(self._listener.rules)}
        if len(self._listener.faults) > MAX_FAULTS:
            self._problems.add(self._at("faults"), f"{len(self._listener.faults)} faults; the maximum is {MAX_FAULTS}")
        self._keys("faults", [fault_key(fault, index) for index, fault in enumerate(faults)])
        for index, fault in enumerate(faults):
            check_fault(
                fault,
                f"{self._path}.faults[{index}]",
                checking,
                rules=names,
                relays=self._listener.HasField("upstream"),
                tls=self._listener.HasField("tls"),
            )

    def _keys(self, of: str, keys: Sequence[str]) -> None:
        """The names under which rules or faults are counted."""
        first: dict[str, int] = {}
        for index, key in enumerate(keys):
            path = f"{self._path}.{of}[{index}].name"
            if len(key) > _MAX_COUNTED_NAME or not key.isprintable():
                self._problems.add(path, f"at most {_MAX_COUNTED_NAME} printable characters, not {quoted(key)}")
            elif first.setdefault(key, index) != index:
                self._problems.add(path, f"{quoted(key)} is what {of}[{first[key]}] is counted under already")
