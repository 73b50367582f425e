"""Since which revision the active configuration differs from the file's."""

from pathlib import Path

from answerback.supervisor.revisions.store import RevisionsInMemory
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, config, listener, text


def since(supervisor: Supervised) -> int:
    file = supervisor.status().file
    assert file is not None
    return file.differs_since


async def test_server_that_has_not_started_has_a_status(tmp_path: Path) -> None:
    path = tmp_path / "answerback.yaml"
    path.write_text(text(listener("one")))
    supervisor = Supervised(path)
    assert since(supervisor) == 0
    await supervisor.stop(abort=True)


async def test_change_through_the_api_replaces_the_file_until_it_is_applied_again(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    assert since(supervisor) == 0
    await supervisor.update(config(listener("two")))
    assert since(supervisor) == 2
    await supervisor.update(config(listener("three")))
    assert since(supervisor) == 2
    await supervisor.reload()
    assert (supervisor.current.number, since(supervisor)) == (4, 0)
    await supervisor.update(config(listener("two")))
    assert since(supervisor) == 5


async def test_rollback_to_the_content_of_the_file_does_not_differ(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    await supervisor.update(config(listener("two")))
    await supervisor.rollback(1)
    assert since(supervisor) == 0


async def test_rejected_file_leaves_what_differs_as_it_was(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    await supervisor.update(config(listener("two")))
    supervisor.path.write_text("listeners: nonsense")
    await supervisor.reload()
    file = supervisor.status().file
    assert file is not None
    assert (file.differs_since, file.problems[0].line, file.problems[0].column) == (2, 1, 12)


async def test_file_that_was_changed_and_applied_does_not_differ(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    supervisor.path.write_text(text(listener("other")))
    await supervisor.reload()
    assert (supervisor.current.number, since(supervisor)) == (2, 0)


async def test_restarted_server_knows_since_when_it_differs(supervise: Supervise) -> None:
    store = RevisionsInMemory("abc")
    first = await supervise(listener("one"), store=store)
    await first.update(config(listener("two")))
    await first.update(config(listener("three")))
    await first.stop(abort=True)
    second = await supervise(listener("one"), store=store)
    assert (second.current.number, since(second)) == (3, 2)
    await second.reload()
    assert since(second) == 0


async def test_restarted_server_with_the_configuration_of_the_file_does_not_differ(supervise: Supervise) -> None:
    store = RevisionsInMemory("abc")
    first = await supervise(listener("one"), store=store)
    await first.stop(abort=True)
    second = await supervise(listener("one"), store=store)
    assert (second.current.number, since(second)) == (1, 0)


async def test_file_that_was_changed_to_the_active_configuration_does_not_differ(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"))
    await supervisor.update(config(listener("two")))
    assert since(supervisor) == 2
    supervisor.path.write_text(text(listener("two")))
    await supervisor.reload()
    assert (supervisor.current.number, since(supervisor)) == (2, 0)
