"""Talks over TLS, against a server of the standard library."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerback.cli.play import command
from answerback.talk.player import Player, TalkFailed
from answerback.talk.script import parse
from answerback.talk.tls import StartTlsNetwork, TlsNetwork, client_context
from tests.certifying import LONG_AGO, Authority, Issued

Serving = Callable[[ssl.SSLSocket], None]


class Server:
    """Serves one connection in a thread."""

    def __init__(self, issued: Issued, serve: Serving, client_ca: Path | None = None) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(issued.certificate, issued.key)
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca)
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listening.getsockname()
        return host, port

    def _run(self) -> None:
        sock, _ = self._listening.accept()
        sock.settimeout(20)
        with sock, suppress(ssl.SSLError, ConnectionError), self.context.wrap_socket(sock, server_side=True) as over:
            self._serve(over)

    def end(self) -> None:
        with suppress(OSError):
            socket.create_connection(self.address).close()
        self._thread.join()
        self._listening.close()


Start = Callable[..., Server]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def start(authority: Authority) -> Iterator[Start]:
    """Start a server with a certificate for loopback."""
    started = []

    def start(serve: Serving, issued: Issued | None = None, client_ca: Path | None = None) -> Server:
        started.append(Server(issued or authority.issue(), serve, client_ca))
        return started[-1]

    yield start
    for each in started:
        each.end()


def play(server: Server, authority: Authority, talk: str, own: Issued | None = None, patience: float = 20) -> None:
    files = (own.certificate, own.key) if own else ()
    network = TlsNetwork(server.address, client_context(authority.certificate, *files))
    with Player(network, patience) as player:
        player.play(parse(talk))


def echo(sock: ssl.SSLSocket) -> None:
    """Send everything back, and close_notify after that of the client."""
    while data := sock.recv(1 << 16):
        sock.sendall(data)
    sock.unwrap()


def end_without_notice(sock: ssl.SSLSocket) -> None:
    sock.recv(100)
    sock.sendall(b"bye\n")
    sock.shutdown(socket.SHUT_WR)  # FIN alone


def test_talk_says_what_is_inside_tls(start: Start, authority: Authority) -> None:
    play(start(echo), authority, '> "hi\\n"\n< "hi\\n"\n< silence 0.1\n> "ho\\n"\n< /^ho$/\n> eof\n< eof\n')


def test_long_request_and_reply_arrive_as_a_whole(start: Start, authority: Authority) -> None:
    text = "x" * 300_000
    play(start(echo), authority, f'> "{text}"\n< "{text}"\n> eof\n< eof\n')


def test_reply_that_has_arrived_is_read_after_the_client_has_ended_its_half(start: Start, authority: Authority) -> None:
    """Two records come at once, and the client ends its half between them."""

    def twice(sock: ssl.SSLSocket) -> None:
        sock.recv(100)
        sock.sendall(b"one\n")
        sock.sendall(b"two\n")
        sock.unwrap()

    play(start(twice), authority, '> "hi\\n"\nwait 0.1\n< "one\\n"\n> eof\n< "two\\n"\n< eof\n')


def test_end_without_close_notify_is_no_orderly_end(start: Start, authority: Authority) -> None:
    server = start(end_without_notice)
    with pytest.raises(TalkFailed, match="line 3: < eof: the connection ended without close_notify"):
        play(server, authority, '> "hi\\n"\n< "bye\\n"\n< eof\n')


def test_silence_of_the_server_times_out(start: Start, authority: Authority) -> None:
    with pytest.raises(TalkFailed, match=r"line 1: < \"hi\": timed out after 0.2 s; received \"\""):
        play(start(echo), authority, '< "hi"\n', patience=0.2)


@pytest.mark.parametrize(
    "names, given, error",
    [
        ((), {"not_before": LONG_AGO, "not_after": LONG_AGO}, "certificate has expired"),
        (("other.test",), {}, "IP address mismatch"),
    ],
)
def test_certificate_that_is_not_accepted_is_named_with_its_error(
    start: Start, authority: Authority, names: tuple[str, ...], given: dict[str, object], error: str
) -> None:
    server = start(echo, authority.issue("bad", *names, **given))
    with pytest.raises(TalkFailed, match=f'line 1: > "hi": the server\'s certificate is not accepted: {error}'):
        play(server, authority, '> "hi"\n')


def test_server_without_tls_is_reported(authority: Authority) -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listening.accept()
        with sock:
            sock.sendall(b"220 ready\r\n")
            sock.recv(1 << 16)

    thread = threading.Thread(target=serve)
    thread.start()
    network = TlsNetwork(listening.getsockname(), client_context(authority.certificate))
    with (
        Player(network, 20) as player,
        pytest.raises(TalkFailed, match="the TLS handshake failed: WRONG_VERSION_NUMBER"),
    ):
        player.play(parse('< "220 ready\\r\\n"\n'))
    thread.join()
    listening.close()


def test_client_certificate_is_sent(start: Start, authority: Authority) -> None:
    server = start(echo, client_ca=authority.certificate)
    play(server, authority, '> "hi\\n"\n< "hi\\n"\n', authority.issue("client", "client"))


def test_client_without_a_required_certificate_fails(start: Start, authority: Authority) -> None:
    server = start(echo, client_ca=authority.certificate)
    with pytest.raises(TalkFailed, match=r"TLS failed: \w*CERTIFICATE_REQUIRED"):
        play(server, authority, '< "hi\\n"\n')


def run(*words: str, talk: str = "") -> Result:
    return CliRunner().invoke(command, ["-", *words, "--patience", "20s"], input=talk)


def test_play_with_ca_plays_over_tls(start: Start, authority: Authority) -> None:
    host, port = start(echo).address
    result = run(f"{host}:{port}", "--ca", str(authority.certificate), talk='> "hi\\n"\n< "hi\\n"\n> eof\n< eof\n')
    assert (result.exit_code, result.stderr) == (0, "")


def test_play_with_a_file_that_is_no_certificate_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nothing")
    for name, reason in (("ca.crt", "NO_CERTIFICATE_OR_CRL_FOUND"), ("none.crt", "No such file or directory")):
        result = run("127.0.0.1:1", "--ca", str(tmp_path / name), talk="< eof\n")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"Error: cannot use {tmp_path / name}: {reason}\n"


@pytest.mark.parametrize("words", [("--cert", "a"), ("--ca", "a", "--cert", "b"), ("--ca", "a", "--key", "b")])
def test_play_with_half_of_a_client_certificate_exits_with_2(words: tuple[str, ...]) -> None:
    result = run("127.0.0.1:1", *words, talk="< eof\n")
    assert result.exit_code == 2
    assert "a client certificate needs --ca, --cert and --key" in result.stderr


# ── TLS that a talk begins ────────────────────────────────────────────────────────────────────────────────────────────


class Later(Server):
    """Begins TLS behind a line."""

    def _run(self) -> None:
        sock, _ = self._listening.accept()
        sock.settimeout(20)
        with sock, suppress(ssl.SSLError, ConnectionError):
            if sock.recv(100) == b"STARTTLS\r\n":
                sock.sendall(b"220 go ahead\r\n")
                with self.context.wrap_socket(sock, server_side=True) as over:
                    self._serve(over)


@pytest.fixture
def later(authority: Authority) -> Iterator[Later]:
    server = Later(authority.issue(), echo)
    yield server
    server.end()


BEGIN = '> "STARTTLS\\r\\n"\n< "220 go ahead\\r\\n"\n'


def play_later(server: Server, authority: Authority, talk: str) -> None:
    with Player(StartTlsNetwork(server.address, client_context(authority.certificate)), 20) as player:
        player.play(parse(talk))


def test_talk_begins_tls_where_it_says_so(later: Later, authority: Authority) -> None:
    play_later(later, authority, BEGIN + 'starttls\n> "hi\\n"\n< "hi\\n"\n> eof\n< eof\n')


@pytest.mark.parametrize(
    "talk, problem",
    [
        (BEGIN.replace("220 ", "2") + "starttls\n", "line 2: "),
        ('> "STARTTLS\\r\\n"\n< "220 "\nstarttls\n', 'line 3: starttls: received "go ahead'),
        (BEGIN + "starttls\nstarttls\n", "line 4: starttls: TLS has begun already"),
    ],
)
def test_talk_that_begins_tls_wrongly_fails(later: Later, authority: Authority, talk: str, problem: str) -> None:
    with pytest.raises(TalkFailed) as failed:
        play_later(later, authority, talk)
    assert str(failed.value).startswith(problem)


def test_certificate_that_is_not_trusted_fails_the_line_that_begins_tls(later: Later, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(TalkFailed, match="line 3: starttls: the server's certificate is not accepted"):
        play_later(later, Authority(tmp_path / "other"), BEGIN + "starttls\n")


def test_play_begins_tls_with_ca_and_asks_for_it_without(later: Later, authority: Authority, tmp_path: Path) -> None:
    talk = tmp_path / "it.talk"
    talk.write_text(BEGIN + 'starttls\n> "hi\\n"\n< "hi\\n"\n')
    where = f"{later.address[0]}:{later.address[1]}"
    without = CliRunner().invoke(command, [str(talk), where])
    assert (without.exit_code, "give --ca" in without.output) == (2, True)
    played = CliRunner().invoke(command, [str(talk), where, "--ca", str(authority.certificate)])
    assert (played.exit_code, played.output) == (0, f"{talk}: ok, 5 instructions\n")
