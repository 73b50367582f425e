"""What those who connect meet: a queue, silence, a refusal; every way from one to another, and back after a failure."""

import errno
import re
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import permutations

import pytest

from answerback.core.plan import Accept
from answerback.net import silence
from answerback.supervisor import filling
from answerback.supervisor.doors import Door, door_of
from answerback.supervisor.outcomes import ChangeFailed
from answerback.supervisor.sockets import Sockets
from tests.ports import free_port

pytestmark = pytest.mark.long

PATIENCE = 0.3  # the kernel repeats a SYN after a second: a connection that comes later has been stalled
SLOTS = 2
LASTING = [Door.OPEN, Door.STALLED, Door.REFUSED]  # CLOSING comes before the end
WAYS = list(permutations(LASTING, 2))


@pytest.fixture(params=["port of the kernel's choice", "port given"])
def key(request: pytest.FixtureRequest) -> str:
    return f"127.0.0.1:{free_port()}" if request.param == "port given" else "127.0.0.1:0#it"


@pytest.fixture(params=["permitted", "not permitted"])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the kernel lets a socket fall silent; nothing but what is in between two doors may depend on it."""
    if request.param == "permitted":
        with socket.socket() as probe:
            return silence.silence(probe)
    monkeypatch.setattr(silence, "OPTIONS", {})
    return False


@pytest.fixture(params=[1, SLOTS])
def sockets(request: pytest.FixtureRequest, filters: bool) -> Iterator[Sockets]:  # noqa: ARG001
    made = Sockets(request.param)
    yield made
    made.close_all()


def meet(sockets: Sockets, key: str) -> Door:
    """What a client meets there."""
    host, _, port = sockets.address(key).rpartition(":")
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        try:
            client.connect((host, int(port)))
        except TimeoutError:
            return Door.STALLED
        except ConnectionRefusedError:
            return Door.REFUSED
    return Door.OPEN


def meets(sockets: Sockets, key: str, many: int = 6) -> set[Door]:
    with ThreadPoolExecutor(many) as pool:
        return set(pool.map(lambda _: meet(sockets, key), range(many)))


async def turn(sockets: Sockets, key: str, door: Door) -> None:
    with sockets.binding([key]) as bound:
        async with sockets.turning(bound, {key: door}):
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


def test_modes_and_doors() -> None:
    assert {accept: door_of(accept) for accept in Accept if door_of(accept) is not Door.OPEN} == {
        Accept.STALL: Door.STALLED,
        Accept.REFUSE: Door.REFUSED,
    }


@pytest.mark.parametrize("door", LASTING)
async def test_a_new_address_begins_as_it_should(sockets: Sockets, key: str, door: Door) -> None:
    await turn(sockets, key, door)
    assert meets(sockets, key) == {door}


@pytest.mark.parametrize("one, other", WAYS)
async def test_there_and_back(sockets: Sockets, key: str, one: Door, other: Door) -> None:
    for door in (one, other, one, other):
        await turn(sockets, key, door)
        assert meets(sockets, key) == {door}


@pytest.mark.parametrize("one, other", WAYS)
async def test_a_decision_that_is_not_taken_changes_nothing(sockets: Sockets, key: str, one: Door, other: Door) -> None:
    await turn(sockets, key, one)
    with pytest.raises(OSError, match="disk full"):
        async with sockets.turning({}, {key: other}):
            raise OSError("disk full")
    assert meets(sockets, key) == {one}
    await turn(sockets, key, other)
    assert meets(sockets, key) == {other}


async def test_nobody_gets_in_before_the_decision(sockets: Sockets, key: str, filters: bool) -> None:
    await turn(sockets, key, Door.REFUSED)
    async with sockets.turning({}, {key: Door.OPEN}):
        assert meets(sockets, key, 2) == {Door.STALLED if filters else Door.OPEN}
    assert meets(sockets, key) == {Door.OPEN}


async def test_all_that_cannot_turn_is_undone(sockets: Sockets, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = f"127.0.0.1:{free_port()}"
    await turn(sockets, key, Door.OPEN)
    await turn(sockets, other, Door.REFUSED)
    address = re.escape(sockets.address(key))
    monkeypatch.setattr(filling, "TRIES_PER_SOCKET", 0)
    with pytest.raises(ChangeFailed, match=f"^{address} cannot be stalled: connections .* nothing has changed$"):
        async with sockets.turning({}, {key: Door.STALLED, other: Door.OPEN}):
            pytest.fail("it was decided")
    assert meets(sockets, key) == {Door.OPEN}
    assert meets(sockets, other) == {Door.REFUSED}


async def test_what_is_queued_outlives_silence(sockets: Sockets, key: str, filters: bool) -> None:
    await turn(sockets, key, Door.OPEN)
    host, _, port = sockets.address(key).rpartition(":")
    queued = [socket.create_connection((host, int(port))) for _ in range(5)]
    async with sockets.turning({}, {key: Door.REFUSED}):
        pass
    if filters:
        assert meet(sockets, key) is Door.STALLED, "until it is emptied"
    assert accept_all([sockets.of(slot)[key] for slot in range(sockets.slots)]) == 5
    sockets.finish([*sockets.closing], range(sockets.slots))
    assert meets(sockets, key) == {Door.REFUSED}
    for client in queued:
        client.close()


async def test_a_change_of_mind_before_the_queue_is_empty(sockets: Sockets, key: str) -> None:
    await turn(sockets, key, Door.OPEN)
    for door in (Door.REFUSED, Door.OPEN):
        async with sockets.turning({}, {key: door}):
            pass
    assert meets(sockets, key) == {Door.OPEN}


async def test_a_door_holds_for_every_copy_of_a_socket(sockets: Sockets, key: str) -> None:
    await turn(sockets, key, Door.OPEN)
    copies = [sockets.of(slot)[key].dup() for slot in range(sockets.slots)]
    await turn(sockets, key, Door.STALLED)
    sockets_kept = [sockets.of(slot)[key].fileno() for slot in range(sockets.slots)]
    assert meets(sockets, key, 2) == {Door.STALLED}
    assert not {copy.fileno() for copy in copies} & set(sockets_kept)
    await turn(sockets, key, Door.REFUSED)
    assert meets(sockets, key) == {Door.REFUSED}
    for copy in copies:
        copy.close()


@pytest.mark.parametrize("door", LASTING)
async def test_no_stranger_can_listen_in_our_place(sockets: Sockets, key: str, door: Door) -> None:
    await turn(sockets, key, door)
    host, _, port = sockets.address(key).rpartition(":")
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use") as caught:
            stranger.bind((host, int(port)))
        assert caught.value.errno == errno.EADDRINUSE


async def test_what_was_accepted_does_not_keep_the_address_from_the_next_run(key: str) -> None:
    first = Sockets(SLOTS)
    await turn(first, key, Door.REFUSED)
    await turn(first, key, Door.OPEN)
    address = first.address(key)
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as client:
        assert accept_all([first.of(slot)[key] for slot in range(SLOTS)]) == 1  # closes first: TIME_WAIT is here
        assert client.recv(1) == b""
    first.close_all()
    second = Sockets(SLOTS)
    await turn(second, address, Door.OPEN)
    second.close_all()
