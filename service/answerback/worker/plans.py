"""Compiles configurations to plans; unchanged listeners keep their compiled plan."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from answerback.core import patterns
from answerback.core.plan import Engine, ListenerPlan, Plan
from answerback.internal.v1.link_pb2 import ListenerLayout, Prepare
from answerback.language.compile import compile_plan
from answerback.language.contents import Content, Files, Large
from answerback.language.enums import engine_named
from answerback.language.journal import compile_bounds
from answerback.language.pacing import Pacer
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.traverse import messages
from answerback.tls.client import ClientTls
from answerback.tls.contexts import ServerTls
from answerback.v1 import config_pb2 as v1
from answerback.worker import certificates
from answerback.worker.pattern_memory import PatternMemory

# Rule: nothing here uses the event loop: it runs in a thread.


NOTHING_PASSED: Final[Mapping[bytes, Large]] = {}


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that a listener's plan is made from."""

    listener: bytes
    layout: bytes
    files: Files
    default_engine: Engine
    journal: bytes
    """The journal's settings for all listeners."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan and the sources of its listeners."""

    plan: Plan = field(default_factory=lambda: Plan(0, {}))
    sources: Mapping[str, Source] = field(default_factory=dict)
    large: Mapping[bytes, Large] = field(default_factory=dict)
    """The large contents that it uses, by digest."""


def compile_command(
    command: Prepare,
    former: Compiled,
    passed: Mapping[bytes, Large] = NOTHING_PASSED,
    memory: PatternMemory | None = None,
) -> Compiled:
    """Compile the configuration of a Prepare command. Raises InvalidConfig with every problem.

    `passed`: the large contents that came with the command, by digest; the others are those of `former`. `memory`:
    for the patterns of all plans of this worker.
    """
    large = {
        each.digest: passed[each.digest] if each.digest in passed else former.large[each.digest]
        for each in command.files
        if not each.HasField("data")
    }
    layouts = {each.listener: each for each in command.layouts}
    sources = _sources(command, layouts, large)
    tls = certificates.of_listeners(command, former.plan)
    upstream_tls = certificates.of_upstreams(command, former.plan)
    changed = {
        name
        for name, source in sources.items()
        if former.sources.get(name) != source
        or tls.get(name) is not former.plan.listeners[name].tls
        or upstream_tls.get(name) is not certificates.upstream_tls(former.plan, name)
    }
    compiler = _Compiler(
        [listener for listener in command.config.listeners if listener.name in changed],
        command.config.journal,
        memory or PatternMemory(),
        tls,
        upstream_tls,
    )
    plans: dict[str, ListenerPlan] = {}
    problems: list[Problem] = []
    for index, listener in enumerate(command.config.listeners):
        name = listener.name
        if name not in changed:
            plans[name] = former.plan.listeners[name]
            continue
        try:
            plans[name] = compiler.compile(listener, layouts[name], sources[name], command.revision)
        except InvalidConfig as error:
            problems += [_relocated(problem, index) for problem in error.problems]
    if problems:
        raise InvalidConfig(problems)
    return Compiled(Plan(command.revision, plans, compile_bounds(command.config.journal)), sources, large)


def _sources(
    command: Prepare, layouts: Mapping[str, ListenerLayout], large: Mapping[bytes, Large]
) -> dict[str, Source]:
    """Everything that the plan of each listener is made from, by the listener's name."""
    files = {each.name: each.data if each.HasField("data") else large[each.digest] for each in command.files}
    engine = engine_named(command.default_engine)
    journal = _bytes(command.config.journal)
    return {
        listener.name: Source(
            _bytes(listener), _bytes(layouts[listener.name]), _files_of(listener, files), engine, journal
        )
        for listener in command.config.listeners
    }


class _Compiler:
    """Compiles listeners, whose patterns share the memory budget evenly."""

    def __init__(
        self,
        listeners: Sequence[v1.Listener],
        journal: v1.Journal,
        memory: PatternMemory,
        tls: Mapping[str, ServerTls],
        upstream_tls: Mapping[str, ClientTls],
    ) -> None:
        self._journal = journal
        self._tls = tls
        self._upstream_tls = upstream_tls
        self._memory = memory
        self._patterns = {listener.name: _count_patterns(listener) for listener in listeners}
        count = max(1, sum(self._patterns.values()))
        self._share = min(2 * patterns.MAX_MEMORY, memory.half() // count)
        self._pause = Pacer()

    def compile(self, listener: v1.Listener, layout: ListenerLayout, source: Source, revision: int) -> ListenerPlan:
        """Compile one listener. Raises InvalidConfig."""
        plan = compile_plan(
            v1.Config(listeners=[listener], journal=self._journal),
            source.files,
            revision=revision,
            layouts=lambda _: layout,
            default_engine=source.default_engine,
            pattern_memory=self._share,
            pause=self._pause,
        ).listeners[listener.name]
        if listener.name in self._tls:
            plan = certificates.secured(plan, self._tls[listener.name])
        if listener.name in self._upstream_tls:
            plan = certificates.to_secure_upstream(plan, self._upstream_tls[listener.name])
        self._memory.reserve(plan, self._share * self._patterns[listener.name])
        return plan


def _count_patterns(listener: v1.Listener) -> int:
    """Return how many patterns a listener has."""
    found = (message for _, message in messages(listener))
    return sum(
        isinstance(message, v1.Framing.Pattern)
        or (isinstance(message, v1.Match) and message.WhichOneof("kind") == "regex")
        for message in found
    )


def _relocated(problem: Problem, index: int) -> Problem:
    """Return the problem with its path relative to the configuration."""
    return Problem(re.sub(r"^listeners\[0\]", f"listeners[{index}]", problem.path), problem.message)


def _files_of(listener: v1.Listener, files: Files) -> dict[str, Content]:
    named = (
        message.file
        for _, message in messages(listener)
        if isinstance(message, v1.Payload | v1.Literal) and message.WhichOneof("bytes") == "file"
    )
    return {name: files[name] for name in named if name in files}


def _bytes(message: v1.Listener | v1.Journal | ListenerLayout) -> bytes:
    return message.SerializeToString(deterministic=True)
