"""What every test shares: how Hypothesis searches, which event loop is used, and nothing else."""

# Rule: fixtures stand in the conftest of the room that uses them; here is only what all rooms need.

import asyncio
import os
from collections.abc import Callable, Mapping

import pytest
import uvloop
from hypothesis import HealthCheck, settings

# A deadline per example fails on a busy machine, not on a slow function; the suite's own timeout catches what hangs.
settings.register_profile("quick", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=150)
settings.load_profile("thorough" if os.environ.get("ANSWERBACK_TESTS") == "thorough" else "quick")

NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: Mapping[str, NewLoop] = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, NewLoop]:
    """The loop that serves, unless a test asks for others: `@pytest.mark.asyncio(loop_factories=[…])`."""
    marker = item.get_closest_marker("asyncio")
    return LOOPS if marker and "loop_factories" in marker.kwargs else {"uvloop": LOOPS["uvloop"]}
