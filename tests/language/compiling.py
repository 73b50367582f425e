"""Shared by the tests of compiling: plans, and a request context."""

import random
from collections.abc import Callable
from datetime import UTC, datetime

from answerback.core import context
from answerback.core.plan import Engine, ListenerPlan, Plan, Rule
from answerback.language.compile import compile_plan
from answerback.language.contents import Files
from answerback.v1 import config_pb2 as v1
from tests.core.playbook import Account, Somewhere
from tests.language.configurations import places


class RequestContext(context.RequestContext):
    """What matches and steps see: the first request of a connection, to which every count is open."""

    def __init__(self, request: bytes = b"") -> None:
        super().__init__("it", Somewhere("7", 1, ("192.0.2.7", 1234), 80, random.Random(0)), Account())
        self.request = request
        self.number = 1

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        return lambda: datetime(2024, 1, 1, tzinfo=UTC)

    def next_number(self, _cell: int, _max_numbers: int, _window_seconds: float = 0.0, /) -> int | None:
        return 0


def compiled(config: v1.Config, files: Files | None = None, engine: Engine = Engine.CALLBACK) -> Plan:
    where = places(config)
    return compile_plan(config, files or {}, revision=7, layouts=where.__getitem__, default_engine=engine)


def only(config: v1.Config, files: Files | None = None) -> ListenerPlan:
    """The plan of the one listener."""
    (plan,) = compiled(config, files).listeners.values()
    return plan


def selected(config: v1.Config, turn: RequestContext) -> Rule | None:
    """The rule for a request."""
    return only(config).on_request.selector_for("").search(turn.request, turn)
