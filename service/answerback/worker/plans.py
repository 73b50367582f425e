"""Configurations to plans: what has not changed is not compiled again, and stays the object it was."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from answerback.core.plan import Engine, ListenerPlan, Plan
from answerback.internal.v1.link_pb2 import ListenerPlaces, Prepare
from answerback.language.compile import compile_plan
from answerback.language.contents import Content, Files, Large
from answerback.language.enums import engine_named
from answerback.language.problems import Problem, Refused
from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1

# Rule: nothing here touches the event loop: it runs in a thread.


NOTHING_PASSED: Final[Mapping[bytes, Large]] = {}


@dataclass(frozen=True, slots=True)
class Source:
    """All that a listener's plan is made of."""

    listener: bytes
    places: bytes
    files: Files
    default_engine: Engine


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, and what it was made of, by listener."""

    plan: Plan = field(default_factory=lambda: Plan(0, {}))
    sources: Mapping[str, Source] = field(default_factory=dict)
    large: Mapping[bytes, Large] = field(default_factory=dict)
    """The large contents that it uses, by digest."""


def compile_order(order: Prepare, former: Compiled, passed: Mapping[bytes, Large] = NOTHING_PASSED) -> Compiled:
    """What the supervisor wants prepared. Raises Refused with every problem.

    `passed`: the large contents that came with the order, by digest; the others are those of `former`.
    """
    large = {
        each.digest: passed[each.digest] if each.digest in passed else former.large[each.digest]
        for each in order.files
        if not each.HasField("data")
    }
    files = {each.name: each.data if each.HasField("data") else large[each.digest] for each in order.files}
    places = {each.listener: each for each in order.places}
    engine = engine_named(order.default_engine)
    sources: dict[str, Source] = {}
    plans: dict[str, ListenerPlan] = {}
    problems: list[Problem] = []
    for index, listener in enumerate(order.config.listeners):
        place = places[listener.name]
        source = Source(_bytes(listener), _bytes(place), _files_of(listener, files), engine)
        sources[listener.name] = source
        if former.sources.get(listener.name) == source:
            plans[listener.name] = former.plan.listeners[listener.name]
            continue
        try:
            plans[listener.name] = _compile(listener, place, source, order.revision)
        except Refused as refused:
            problems += [_moved(problem, index) for problem in refused.problems]
    if problems:
        raise Refused(problems)
    return Compiled(Plan(order.revision, plans), sources, large)


def _compile(listener: v1.Listener, place: ListenerPlaces, source: Source, revision: int) -> ListenerPlan:
    alone = v1.Config(listeners=[listener])
    plan = compile_plan(
        alone, source.files, revision=revision, places=lambda _: place, default_engine=source.default_engine
    )
    return plan.listeners[listener.name]


def _moved(problem: Problem, index: int) -> Problem:
    """The problem with the place that its listener has among all."""
    return Problem(re.sub(r"^listeners\[0\]", f"listeners[{index}]", problem.path), problem.message)


def _files_of(listener: v1.Listener, files: Files) -> dict[str, Content]:
    named = (
        message.file
        for _, message in messages(listener)
        if isinstance(message, v1.Payload | v1.Literal) and message.WhichOneof("bytes") == "file"
    )
    return {name: files[name] for name in named if name in files}


def _bytes(message: v1.Listener | ListenerPlaces) -> bytes:
    return message.SerializeToString(deterministic=True)
