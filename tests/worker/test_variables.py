"""A worker's access to the shared variables: what it reads is released, so that the file does not grow."""

import asyncio
from pathlib import Path

from answerback.shared.variables import FILE
from answerback.worker.variables import LazyVariables
from tests.supervisor.supervising import until

MORE = 4 << 20


def grown(variables: LazyVariables, folder: Path) -> int:
    """By how many bytes the file grows when 2,000 changes reuse each other's pages, or each take new ones."""
    before = (folder / FILE).stat().st_size
    for _ in range(2000):
        variables.view().add(b"gets", 1)
    return (folder / FILE).stat().st_size - before


async def test_pages_are_used_again_a_moment_after_an_event_has_read(tmp_path: Path) -> None:
    variables = LazyVariables(asyncio.get_running_loop(), str(tmp_path))
    variables.view().put(b"greeting", b"hello")
    assert variables.view().get(b"greeting") == b"hello"
    assert grown(variables, tmp_path) > MORE, "an open view keeps what it reads"
    await until(lambda: grown(variables, tmp_path) < MORE)


async def test_events_shortly_after_each_other_each_see_the_newest(tmp_path: Path) -> None:
    variables = LazyVariables(asyncio.get_running_loop(), str(tmp_path))
    for number in range(10):
        variables.view().put(b"greeting", b"%d" % number)
        assert variables.view().get(b"greeting") == b"%d" % number
    await until(lambda: grown(variables, tmp_path) < MORE)
