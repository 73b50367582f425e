"""The states of a listening socket (open, silent, refused): each change, and back after a failure."""

import errno
import re
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import permutations

import pytest

from answerback.core.plan import Accept
from answerback.net import syn_filter
from answerback.supervisor.errors import ChangeFailed
from answerback.supervisor.sockets import backlog_filler
from answerback.supervisor.sockets.listen_state import ListenState, listen_state_of
from answerback.supervisor.sockets.table import Sockets
from tests.ports import free_port

pytestmark = pytest.mark.long

PATIENCE = 0.3  # the kernel repeats a SYN after a second: a connection that comes later has been stalled
SLOTS = 2
LASTING = [ListenState.OPEN, ListenState.STALLED, ListenState.REFUSED]  # CLOSING comes before the end
WAYS = list(permutations(LASTING, 2))


@pytest.fixture(params=["port of the kernel's choice", "port given"])
def key(request: pytest.FixtureRequest) -> str:
    return f"127.0.0.1:{free_port()}" if request.param == "port given" else "127.0.0.1:0#it"


@pytest.fixture(params=["permitted", "not permitted"])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the kernel lets a socket fall silent; nothing but what is in between two doors may depend on it."""
    if request.param == "permitted":
        with socket.socket() as probe:
            return syn_filter.drop_syns(probe)
    monkeypatch.setattr(syn_filter, "OPTIONS", {})
    return False


@pytest.fixture(params=[1, SLOTS])
def sockets(request: pytest.FixtureRequest, filters: bool) -> Iterator[Sockets]:  # noqa: ARG001
    made = Sockets(request.param)
    yield made
    made.close_all()


def meet(sockets: Sockets, key: str) -> ListenState:
    """What a client meets there."""
    host, _, port = sockets.address(key).rpartition(":")
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        try:
            client.connect((host, int(port)))
        except TimeoutError:
            return ListenState.STALLED
        except ConnectionRefusedError:
            return ListenState.REFUSED
    return ListenState.OPEN


def meets(sockets: Sockets, key: str, many: int = 6) -> set[ListenState]:
    with ThreadPoolExecutor(many) as pool:
        return set(pool.map(lambda _: meet(sockets, key), range(many)))


async def turn(sockets: Sockets, key: str, door: ListenState) -> None:
    with sockets.binding([key]) as bound:
        async with sockets.changing(bound, {key: door}):
            pass
    sockets.finish([*sockets.closing], range(sockets.slots))


def accept_all(sockets: Sequence[socket.socket]) -> int:
    """Empty the queues; how many there were."""
    count = 0
    for sock in sockets:
        sock.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sock.accept()[0].close()
                count += 1
    return count


def test_accept_modes_map_to_listen_states() -> None:
    assert {
        accept: listen_state_of(accept) for accept in Accept if listen_state_of(accept) is not ListenState.OPEN
    } == {
        Accept.STALL: ListenState.STALLED,
        Accept.REFUSE: ListenState.REFUSED,
    }


@pytest.mark.parametrize("door", LASTING)
async def test_new_address_begins_in_its_listen_state(sockets: Sockets, key: str, door: ListenState) -> None:
    await turn(sockets, key, door)
    assert meets(sockets, key) == {door}


@pytest.mark.parametrize("one, other", WAYS)
async def test_listen_state_switches_to_any_other_and_back(
    sockets: Sockets, key: str, one: ListenState, other: ListenState
) -> None:
    for door in (one, other, one, other):
        await turn(sockets, key, door)
        assert meets(sockets, key) == {door}


@pytest.mark.parametrize("one, other", WAYS)
async def test_listen_state_change_that_fails_changes_nothing(
    sockets: Sockets, key: str, one: ListenState, other: ListenState
) -> None:
    await turn(sockets, key, one)
    with pytest.raises(OSError, match="disk full"):
        async with sockets.changing({}, {key: other}):
            raise OSError("disk full")
    assert meets(sockets, key) == {one}
    await turn(sockets, key, other)
    assert meets(sockets, key) == {other}


async def test_listener_opening_admits_no_client_before_the_decision(sockets: Sockets, key: str, filters: bool) -> None:
    await turn(sockets, key, ListenState.REFUSED)
    async with sockets.changing({}, {key: ListenState.OPEN}):
        assert meets(sockets, key, 2) == {ListenState.STALLED if filters else ListenState.OPEN}
    assert meets(sockets, key) == {ListenState.OPEN}


async def test_failed_listen_state_change_is_undone(
    sockets: Sockets, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"127.0.0.1:{free_port()}"
    await turn(sockets, key, ListenState.OPEN)
    await turn(sockets, other, ListenState.REFUSED)
    address = re.escape(sockets.address(key))
    monkeypatch.setattr(backlog_filler, "TRIES_PER_SOCKET", 0)
    with pytest.raises(ChangeFailed, match=f"^{address} cannot be stalled: own connections .* nothing has changed$"):
        async with sockets.changing({}, {key: ListenState.STALLED, other: ListenState.OPEN}):
            pytest.fail("it was decided")
    assert meets(sockets, key) == {ListenState.OPEN}
    assert meets(sockets, other) == {ListenState.REFUSED}


async def test_connections_queued_before_refusing_are_still_accepted(sockets: Sockets, key: str, filters: bool) -> None:
    await turn(sockets, key, ListenState.OPEN)
    host, _, port = sockets.address(key).rpartition(":")
    queued = [socket.create_connection((host, int(port))) for _ in range(5)]
    async with sockets.changing({}, {key: ListenState.REFUSED}):
        pass
    if filters:
        assert meet(sockets, key) is ListenState.STALLED, "until it is emptied"
    assert accept_all([sockets.of(slot)[key] for slot in range(sockets.slots)]) == 5
    sockets.finish([*sockets.closing], range(sockets.slots))
    assert meets(sockets, key) == {ListenState.REFUSED}
    for client in queued:
        client.close()


async def test_listen_state_reverted_before_the_queue_is_empty_is_open(sockets: Sockets, key: str) -> None:
    await turn(sockets, key, ListenState.OPEN)
    for door in (ListenState.REFUSED, ListenState.OPEN):
        async with sockets.changing({}, {key: door}):
            pass
    assert meets(sockets, key) == {ListenState.OPEN}


async def test_listen_state_applies_to_every_copy_of_a_socket(sockets: Sockets, key: str) -> None:
    await turn(sockets, key, ListenState.OPEN)
    copies = [sockets.of(slot)[key].dup() for slot in range(sockets.slots)]
    await turn(sockets, key, ListenState.STALLED)
    sockets_kept = [sockets.of(slot)[key].fileno() for slot in range(sockets.slots)]
    assert meets(sockets, key, 2) == {ListenState.STALLED}
    assert not {copy.fileno() for copy in copies} & set(sockets_kept)
    await turn(sockets, key, ListenState.REFUSED)
    assert meets(sockets, key) == {ListenState.REFUSED}
    for copy in copies:
        copy.close()


@pytest.mark.parametrize("door", LASTING)
async def test_port_cannot_be_bound_by_another_process_in_any_listen_state(
    sockets: Sockets, key: str, door: ListenState
) -> None:
    await turn(sockets, key, door)
    host, _, port = sockets.address(key).rpartition(":")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use") as caught:
            stranger.bind((host, int(port)))
        assert caught.value.errno == errno.EADDRINUSE


async def test_address_with_time_wait_connections_is_bound_by_the_next_run(key: str) -> None:
    first = Sockets(SLOTS)
    await turn(first, key, ListenState.REFUSED)
    await turn(first, key, ListenState.OPEN)
    address = first.address(key)
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as client:
        assert accept_all([first.of(slot)[key] for slot in range(SLOTS)]) == 1  # closes first: TIME_WAIT is here
        assert client.recv(1) == b""
    first.close_all()
    second = Sockets(SLOTS)
    await turn(second, address, ListenState.OPEN)
    second.close_all()
