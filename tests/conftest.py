"""Settings that every test shares: Hypothesis, the event loop, skips, and playbooks."""

# Rule: fixtures stand in the conftest of the room that uses them; here is only what all rooms need.

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from tests.core import playbook
from tests.thoroughness import THOROUGH

# A shell has what it starts in the background ignore SIGINT, and whatever is started from there inherits that: then no
# test could interrupt a process, and no shell could trap it. A signal that is handled is the default again after exec.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline per example fails on a busy machine, not on a slow function; the suite's own timeout catches what hangs.
settings.register_profile("quick", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=150)
settings.load_profile("thorough" if THOROUGH else "quick")

NewLoop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: Mapping[str, NewLoop] = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, NewLoop]:
    """The loop that serves, unless a test asks for others: `@pytest.mark.asyncio(loop_factories=[…])`."""
    marker = item.get_closest_marker("asyncio")
    return LOOPS if marker and "loop_factories" in marker.kwargs else {"uvloop": LOOPS["uvloop"]}


# A test that lacks a program is skipped on a developer's machine. In CI it is noted in a file that is named here, to be
# run again once the programs have been installed, and then "fail" stands here.
SKIPS = os.environ.get("ANSWERBACK_SKIPS", "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Do with a skip as ANSWERBACK_SKIPS says."""
    report = yield
    if not hasattr(report, "wasxfail"):
        note_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same with a module that is skipped whole, as by `importorskip`."""
    report = yield
    note_skip(report, collector.nodeid)
    return report


def note_skip(report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
    if report.skipped and SKIPS == "fail":
        report.outcome = "failed"
        report.longrepr = f"skipped, where nothing may be: {report.longrepr}"
    elif report.skipped and SKIPS:
        with Path(SKIPS).open("a") as noted:
            noted.write(f"{nodeid}\n")


@pytest.fixture(autouse=True)
def no_playbook_ends_with_unexpected_actions() -> Iterator[None]:
    """Fail a test whose playbook still holds actions that the test did not expect with `<<`."""
    yield
    assert playbook.unexpected() == [], "actions at the end of the test that it did not expect"
