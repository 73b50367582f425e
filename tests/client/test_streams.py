"""Streams: their ends, and watches that outlive a connection."""

from typing import Any

import pytest

from answerback import client as clients
from answerback.supervisor import NotOfThisHistory, Stopping
from answerback.v1.config_service_pb2 import Revision, WatchConfigRequest, WatchConfigResponse
from answerback.v1.operations_service_pb2 import DRAIN_STATE_DRAINING, DrainResponse
from tests.cli.conftest import Api
from tests.client.conftest import Connect, Face


def event(number: int) -> WatchConfigResponse:
    return WatchConfigResponse(revision=Revision(number=number, etag=f"abc-{number}"))


def answers(*replies: list[Any]) -> Any:
    """Each stream gets the next of some lists of replies."""
    following = iter(replies)
    return lambda _context: next(following)


def numbers(events: list[Any]) -> list[int]:
    return [each.revision.number for each in events]


def test_watch_continues_after_the_last_revision_it_received(scripted: Face, api: Api) -> None:
    api.answers["WatchConfig"] = answers([event(1), event(2), Stopping()], [Stopping()], [event(3), event(4)])
    assert numbers(scripted.all(lambda client: client.watch_config(after="abc-0"))) == [1, 2, 3, 4]
    assert api.asked == [WatchConfigRequest(after_etag=f"abc-{number}") for number in (0, 2, 2)]


def test_watch_lost_before_its_first_revision_begins_again(scripted: Face, api: Api) -> None:
    api.answers["WatchConfig"] = answers([Stopping()], [event(7)])
    assert numbers(scripted.all(lambda client: client.watch_config(after="abc-6"))) == [7]
    assert api.asked == [WatchConfigRequest(after_etag="abc-6")] * 2


def test_watch_starts_again_with_a_server_that_has_another_history(scripted: Face, api: Api) -> None:
    api.answers["WatchConfig"] = answers([event(5), Stopping()], [NotOfThisHistory("abc-5")], [event(1)])
    assert numbers(scripted.all(lambda client: client.watch_config())) == [5, 1]
    assert api.asked == [WatchConfigRequest(after_etag=etag) for etag in ("", "abc-5", "")]


def test_watch_after_an_etag_of_another_history_fails(scripted: Face, api: Api) -> None:
    api.answers["WatchConfig"] = NotOfThisHistory("xyz-1")
    with pytest.raises(clients.OutOfRange):
        scripted.all(lambda client: client.watch_config(after="xyz-1"))
    assert len(api.asked) == 1


def test_watch_ends_when_the_server_stays_away(connect: Connect, api: Api) -> None:
    face = connect(f"127.0.0.1:{api.port}", timeout=0.2)
    api.answers["WatchConfig"] = answers([event(1), Stopping()])

    def gone(client: Any) -> Any:
        api.server.stop(None).wait()
        return client.watch_config()

    with pytest.raises(clients.Error) as error:
        face.all(gone)
    assert isinstance(error.value, clients.Unavailable)
    assert str(error.value).startswith(f"no Answerback server at 127.0.0.1:{api.port}: ")


def test_watch_of_a_server_that_always_refuses_it_ends_with_its_refusal(connect: Connect, api: Api) -> None:
    api.answers["WatchConfig"] = Stopping()
    with pytest.raises(clients.Unavailable) as error:
        connect(f"127.0.0.1:{api.port}", timeout=0.5).all(lambda client: client.watch_config())
    assert error.value.reason == "STOPPING"
    assert 2 <= len(api.asked) < 12, "pauses between attempts grow"


def test_drain_that_is_cut_off_fails(scripted: Face, api: Api) -> None:
    api.answers["Drain"] = [DrainResponse(state=DRAIN_STATE_DRAINING), Stopping()]
    with pytest.raises(clients.Unavailable):
        scripted.do(lambda client: client.drain().result())
    assert len(api.asked) == 1


def test_result_of_a_stream_without_values_is_an_error(scripted: Face, api: Api) -> None:
    api.answers["Drain"] = []
    with pytest.raises(clients.Error, match="ended without a value"):
        scripted.do(lambda client: client.drain().result())


def test_stream_that_was_ended_early_yields_no_more(scripted: Face, api: Api) -> None:
    api.answers["WatchConfig"] = answers([event(1), event(2), event(3)])
    assert numbers(scripted.all(lambda client: client.watch_config(), 1)) == [1]
