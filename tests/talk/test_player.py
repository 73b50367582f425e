"""Playing talks against a server that does what a test says."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from answerback.talk.network import Address, SocketNetwork
from answerback.talk.player import Player, TalkFailed
from answerback.talk.script import parse
from tests.ports import free_port

LINGER_ZERO = struct.pack("ii", 1, 0)
Serve = Callable[[socket.socket], None]


@contextmanager
def server(*serve: Serve, family: int = socket.AF_INET, path: str = "") -> Iterator[Address]:
    """A server whose n-th connection is served by the n-th function; the last one serves all further connections."""
    listening = socket.socket(family)
    listening.bind(path or ("127.0.0.1", 0))
    listening.listen()
    done = threading.Event()

    def accept() -> None:
        for number in range(100):
            sock, _ = listening.accept()
            with sock:
                if done.is_set():
                    return
                serve[min(number, len(serve) - 1)](sock)

    thread = threading.Thread(target=accept)
    thread.start()
    address: Address = path or listening.getsockname()
    try:
        yield address
    finally:
        done.set()
        with socket.socket(family) as last:
            last.connect(address)
        thread.join()
        listening.close()


def play(address: Address, text: str, patience: float = 20.0, tolerance: float = 20.0) -> None:
    with Player(SocketNetwork(address), patience, tolerance) as player:
        player.play(parse(text))


def failure(address: Address, text: str, patience: float = 20.0, tolerance: float = 0.0) -> tuple[int, str]:
    with pytest.raises(TalkFailed) as failed:
        play(address, text, patience, tolerance)
    return failed.value.instruction.number, failed.value.message


def echo(sock: socket.socket) -> None:
    try:
        while data := sock.recv(1000):
            sock.sendall(data)
    except OSError:
        pass


def says(*parts: bytes) -> Serve:
    def serve(sock: socket.socket) -> None:
        for part in parts:
            sock.sendall(part)

    return serve


def resets(sock: socket.socket) -> None:
    sock.recv(1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)


def test_talk_that_goes_as_written_succeeds() -> None:
    with server(echo) as address:
        play(address, '> "one\\n"\n< "o"\n< "ne\\n"\n> hex 00 ff 0a\n< hex 00 ff\n< /^$/\n> eof\n< eof\n')


def test_bytes_in_pieces_are_what_they_are_together() -> None:
    with server(says(b"a", b"bc\n", b"def\n")) as address:
        play(address, 'connect\n< "abc"\n< /^$/\n< /d.f/\n< eof\n')


def test_unix_socket_is_played_too(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with server(echo, family=socket.AF_UNIX, path=path) as address:
        play(address, '> "hi"\n< "hi"\n')


@pytest.mark.parametrize(
    "expected, message",
    [
        ('< "250 ok"', 'received "220 hi": byte 1 is "2", not "5"'),
        ('< "220 hi!"', 'received "220 hi\\n": byte 6 is "\\n", not "!"'),
        ('< "220 hi\\nmore"', 'the server closed after "220 hi\\n"'),
        ("< /^250/", 'received "220 hi\\n"'),
        ("< eof", 'received "220 hi\\n" before the end'),
        ("< reset", 'received "220 hi\\n" before the reset'),
        ("< silence 9", 'received "220 hi\\n"'),
    ],
)
def test_other_bytes_fail_the_talk_and_are_shown(expected: str, message: str) -> None:
    with server(says(b"220 hi\n")) as address:
        assert failure(address, f"# talk\n{expected}\n") == (2, message)


def test_close_without_the_expected_line_fails_the_talk() -> None:
    with server(says(b"220 hi")) as address:
        assert failure(address, "< /hi/\n") == (1, 'the server closed after "220 hi"')


def test_close_during_silence_fails_the_talk() -> None:
    with server(says()) as address:
        assert failure(address, "< silence 9\n") == (1, "the server closed")


def test_silence_of_an_open_connection_is_heard() -> None:
    with server(echo) as address:
        play(address, '< silence 0.01\n> "a"\n< "a"\n')


def test_server_that_says_nothing_fails_the_talk_after_the_patience() -> None:
    with server(says(b"ab"), echo) as address:
        assert failure(address, '> ""\n< "abc"\n') == (2, 'the server closed after "ab"')
        assert failure(address, "< eof\n", patience=0.05) == (1, 'timed out after 0.05 s; received ""')


def test_reset_and_orderly_close_differ() -> None:
    with server(resets) as address:
        play(address, '> "a"\n< reset\n')
    with server(echo) as address:
        assert failure(address, "> eof\n< reset\n") == (2, "the server closed in order, without a reset")
    with server(resets) as address:
        assert failure(address, '> "a"\n< eof\n') == (2, "Connection reset by peer")


def test_named_connections_stay_open_beside_each_other() -> None:
    held: list[socket.socket] = []

    def hold(sock: socket.socket) -> None:
        held.append(sock.dup())

    with server(hold) as address, Player(SocketNetwork(address), 20.0) as player:
        player.play(parse('connect a\n> "1"\nconnect b\n> "2"\nas a\n> "3"\nas b\n> "4"\n'))
        while len(held) < 2:
            threading.Event().wait(0.001)
        with closing(held[0]), closing(held[1]):
            received = [held[0].recv(2, socket.MSG_WAITALL), held[1].recv(2, socket.MSG_WAITALL)]
    assert received == [b"13", b"24"]


def test_bytes_for_one_connection_are_not_those_of_another() -> None:
    with server(says(b"first"), says(b"second")) as address:
        play(address, 'connect a\nconnect b\n< "second"\nas a\n< "first"\n< eof\n')


def test_switch_to_an_unknown_connection_fails_the_talk() -> None:
    with server(echo) as address:
        assert failure(address, "connect a\nas b\n") == (2, "there is no connection named b")


def test_connect_drops_the_current_connection() -> None:
    ends: list[bytes] = []

    def until_closed(sock: socket.socket) -> None:
        ends.append(sock.recv(10))

    with server(until_closed) as address:
        play(address, "connect\nconnect\n")
        while len(ends) < 2:
            threading.Event().wait(0.001)
    assert ends == [b"", b""]


def test_refused_expects_that_nothing_listens() -> None:
    port = free_port()
    play(("127.0.0.1", port), "refused\n")
    assert failure(("127.0.0.1", port), "connect\n") == (1, "Connection refused")
    with server(echo) as address:
        assert failure(address, "refused\n") == (1, "the connection was accepted")


def test_connect_timeout_expects_that_nothing_answers() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            play(full.getsockname(), "connect timeout 0.05\n")
    with server(echo) as address:
        assert failure(address, "connect timeout 9\n") == (1, "the connection was accepted")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which only tests and waits move on."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


@pytest.mark.parametrize(
    "bounds, tolerance, good",
    [
        ("0.2 0.3", 0.0, True),
        ("0.25 0.25", 0.0, True),
        ("0.3 9", 0.0, False),
        ("0.3 9", 0.1, False),
        ("0 0.2", 0.0, False),
        ("0 0.2", 0.04, False),
        ("0 0.2", 0.06, True),
    ],
)
def test_within_measures_from_what_was_sent_last(clock: list[float], bounds: str, tolerance: float, good: bool) -> None:
    def late(sock: socket.socket) -> None:
        while sock.recv(1):
            clock[0] += 0.25
            sock.sendall(b"x")

    text = f'> "a"\n< "x"\n> "a"\nwithin {bounds}\n< "x"\n'
    with server(late) as address:
        if good:
            play(address, text, tolerance=tolerance)
        else:
            least, most = bounds.split()
            message = f"it took 0.250 s, not {least} to {most} s"
            assert failure(address, text, tolerance=tolerance) == (5, message)


def test_within_holds_for_one_expectation(clock: list[float]) -> None:
    with server(says(b"ab")) as address:
        play(address, 'within 0 0.1\n< "a"\n', tolerance=0)
    with server(echo) as address:
        play(address, '> "a"\nwithin 0 0.1\n< "a"\n> "b"\n', tolerance=0)

    def late(sock: socket.socket) -> None:
        sock.sendall(b"a")
        sock.recv(1)
        clock[0] += 5
        sock.sendall(b"b")

    with server(late) as address:
        play(address, 'within 0 0.1\n< "a"\n> "x"\n< "b"\n', tolerance=0)


def test_wait_is_not_counted(clock: list[float]) -> None:
    with server(says(b"ab")) as address:
        play(address, '< "a"\nwait 5\nwithin 0 0.1\n< "b"\n', tolerance=0)
        assert clock == [105.0]
