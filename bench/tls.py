"""The cost of TLS: CPU of a server per handshake and per request, beside others, and memory of an idle connection.

The others are nginx stream, and the floor: Python's own `ssl` over memory, on uvloop, without a server around it.
"""

# Rule: all servers do the same: ECDSA P-256, TLS 1.3, a handshake, seven bytes, and an orderly end.
# Rule: nginx stream answers a connection once. For requests on a kept connection it passes them on to the C floor, as
#       a relay of ours does; a listener of ours that answers them itself is measured too.
# Rule: where handshakes are measured, the journal is off: nginx writes no access log, and the floor nothing.
# Rule: a client of one thread makes one connection after the other, so no server ever has a queue.
# Rule: each server has a listener without TLS too, which answers at once: that is how its start is noticed.

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.cpu import pinned, read_cpu
from bench.load import REPLY, REQUEST, LoadFailed
from bench.memory import pss, steady_pss, workers
from bench.proxies import filled, nginx_with
from bench.renewal import BETWEEN, renewed
from bench.results import Secured
from bench.roster import CONFIG_ADDRESS, CONTENDERS, Contender, script, serve, started
from bench.server import CouldNotRun, Server, free_port
from bench.stats import Spread, ratio_of_rounds, spread

ENGINES = ("callback", "coroutine")
KINDS = ("full", "resumed")
HANDSHAKES = 300  # of a measurement
REQUESTS = 2000  # the same, on one connection
IDLE = 1000  # connections whose memory is measured
WARM_UP = 50  # the same, before: what is made once
TIMEOUT_S = 20

ANSWERBACK = """\
listeners:
  - {name: clear, address: "@CLEAR@", rules: [{event: CONNECT, do: [send: "+PONG\\r\\n", close]}]}
  - name: tls
    address: 127.0.0.1:@PORT@
    journal: {enabled: false}
    tls: {cert: @BUILD@/tls.crt, key: @BUILD@/tls.key}
    rules: [{event: CONNECT, do: [send: "+PONG\\r\\n", close]}]
  - name: kept
    address: 127.0.0.1:@KEPT@
    framing: line
    tls: {cert: @BUILD@/tls.crt, key: @BUILD@/tls.key}
    rules: [{do: [send: "+PONG\\r\\n"]}]
  - name: relay
    address: 127.0.0.1:@RELAY@
    tls: {cert: @BUILD@/tls.crt, key: @BUILD@/tls.key}
    upstream: 127.0.0.1:@UPSTREAM@
  - name: idle
    address: 127.0.0.1:@IDLE@
    tls: {cert: @BUILD@/tls.crt, key: @BUILD@/tls.key}
    rules: [{event: CONNECT, do: [send: "+PONG\\r\\n"]}]
  - {name: plain, address: "127.0.0.1:@PLAIN@", rules: [{event: CONNECT, do: [send: "+PONG\\r\\n"]}]}
"""
NGINX = """\
@MODULE@daemon off;
worker_processes 1;
pid @BUILD@/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
stream {
  ssl_certificate @BUILD@/tls.crt;
  ssl_certificate_key @BUILD@/tls.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  server { listen 127.0.0.1:@CLEAR@; return "+PONG\\r\\n"; }
  server { listen 127.0.0.1:@PORT@ ssl; return "+PONG\\r\\n"; }
  server { listen 127.0.0.1:@RELAY@ ssl; proxy_pass 127.0.0.1:@UPSTREAM@; }
}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server and its ports; 0 for what it does not have."""

    server: Server
    port: int
    """Makes a handshake, answers, and ends."""
    idle: int = 0
    """Makes a handshake, and answers."""
    plain: int = 0
    """Answers without TLS."""
    kept: int = 0
    """Makes a handshake, and answers each request."""
    relay: int = 0
    """Makes a handshake, and passes requests on."""


def make_certificate(build: Path) -> None:
    """Write tls.crt and tls.key. Raises CouldNotRun."""
    program = shutil.which("openssl")
    if program is None:
        raise CouldNotRun("openssl is not installed")
    what = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(build / "tls.key"), "-out", str(build / "tls.crt"))
    done = subprocess.run([program, "req", *what, *name, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CouldNotRun(f"openssl: {done.stderr.strip()[-200:]}")


@contextmanager
def answerback(engine: str, build: Path, core: int, upstream: int) -> Iterator[Running]:
    """Run Answerback until the block ends. Raises CouldNotRun."""
    ports = {name: free_port() for name in ("port", "idle", "plain", "kept", "relay")}
    given = {name.upper(): port for name, port in ports.items()}
    config = filled(ANSWERBACK, CLEAR=CONFIG_ADDRESS, BUILD=build, UPSTREAM=upstream, **given)
    launch = serve(f"tls-{engine}.yaml", config, engine)
    with started(Contender(engine, engine, launch), build, core) as server:
        yield Running(server, **ports)


@contextmanager
def nginx(build: Path, core: int, upstream: int) -> Iterator[Running]:
    """Run nginx until the block ends. Raises CouldNotRun."""
    clear, port, relay = free_port(), free_port(), free_port()
    text = filled(NGINX, CLEAR=clear, PORT=port, RELAY=relay, UPSTREAM=upstream)
    contender = Contender("nginx", "nginx", lambda folder: nginx_with(folder, text, folder / "nginx.conf", clear))
    with started(contender, build, core) as server:
        yield Running(server, port, relay=relay)


@contextmanager
def floor(build: Path, core: int) -> Iterator[Running]:
    """Run the floor until the block ends. Raises CouldNotRun."""
    clear, port, idle = free_port(), free_port(), free_port()
    launch = script("uvloop_tls", str(build), str(clear), str(port), str(idle), needs="uvloop")
    contender = Contender("floor", "uvloop and ssl", lambda folder: replace(launch(folder), ports=(clear, 0)))
    with started(contender, build, core) as server:
        yield Running(server, port, idle)


def client_context(build: Path) -> ssl.SSLContext:
    """A client that verifies the server."""
    context = ssl.create_default_context(cafile=str(build / "tls.crt"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def shake(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Make one connection to its end; return the session to resume. Raises LoadFailed, OSError."""
    raw = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    with raw, context.wrap_socket(raw, server_hostname="localhost", session=session) as client:
        got = b"".join(iter(lambda: client.recv(4096), b""))
        if got != REPLY:
            raise LoadFailed(f"tls: received {got!r}")
        if client.session_reused is not (session is not None):
            raise LoadFailed(f"tls: the session was {'' if session is None else 'not '}resumed")
        return client.session


def any_certificate() -> ssl.SSLContext:
    """A client that takes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def certificate_shown(port: int, context: ssl.SSLContext) -> bytes:
    """Make one connection to its end; return the server's certificate. Raises LoadFailed, OSError."""
    raw = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    with raw, context.wrap_socket(raw) as client:
        if (got := b"".join(iter(lambda: client.recv(4096), b""))) != REPLY:
            raise LoadFailed(f"tls: received {got!r}")
        return client.getpeercert(binary_form=True) or b""


def cost(running: Running, context: ssl.SSLContext, kind: str, handshakes: int) -> float:
    """Return the µs of server CPU per handshake. Raises LoadFailed, OSError, ProcessesChanged."""
    session = shake(running.port, context, None)
    before = read_cpu(running.server.pid)
    for _ in range(handshakes):
        given = shake(running.port, context, session if kind == "resumed" else None)
        session = given or session
    return read_cpu(running.server.pid).since(before) / handshakes * 1e6


def kept_cost(running: Running, port: int, context: ssl.SSLContext, requests: int) -> float:
    """Return the µs of server CPU per request on a kept connection. Raises LoadFailed, OSError, ProcessesChanged."""
    raw = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    with raw, context.wrap_socket(raw, server_hostname="localhost") as client:
        ask(client)
        before = read_cpu(running.server.pid)
        for _ in range(requests):
            ask(client)
        return read_cpu(running.server.pid).since(before) / requests * 1e6


def ask(client: ssl.SSLSocket) -> None:
    """Send a request and wait for its reply. Raises LoadFailed, OSError."""
    client.sendall(REQUEST)
    if (got := client.recv(4096)) != REPLY:
        raise LoadFailed(f"tls: received {got!r}")


def idle_kib(running: Running, ports: Sequence[tuple[int, ssl.SSLContext | None]], connections: int) -> list[float]:
    """Return the memory of an idle connection to each port in KiB, that of the kernel not counted. Raises OSError.

    The connections stay open meanwhile: what others left in free lists would hide the cost.
    """
    pids, found = workers(running.server.pid), []
    with ExitStack() as stack:
        for port, context in ports:
            stack.enter_context(opened(port, context, WARM_UP))
            before = steady_pss(pids)
            stack.enter_context(opened(port, context, connections))
            found.append((pss(pids) - before) / connections / 1024)
    return found


@contextmanager
def opened(port: int, context: ssl.SSLContext | None, connections: int) -> Iterator[None]:
    """Keep connections open, each of which has got an answer. Raises OSError."""
    with ExitStack() as stack:
        for _ in range(connections):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
            if context is not None:
                client = stack.enter_context(context.wrap_socket(client, server_hostname="localhost"))
            client.recv(len(REPLY))
        yield


@dataclass(slots=True)
class TlsBench:
    """An engine and what it is compared with, while they run."""

    subject: Running
    nginx: Running
    floor: Running
    context: ssl.SSLContext
    rounds: int
    smoke: bool

    def handshakes(self, kind: str) -> tuple[Spread, Spread, Spread]:
        """Return the cost of a handshake in µs, and its ratios to that of nginx and to the floor."""
        count = 5 if self.smoke else HANDSHAKES
        found = [
            [cost(each, self.context, kind, count) for each in (self.subject, self.nginx, self.floor)]
            for _ in range(self.rounds)
        ]
        ours, theirs, least = (spread(samples) for samples in zip(*found, strict=True))
        return ours, ratio_of_rounds(ours, theirs), ratio_of_rounds(ours, least)

    def requests(self) -> tuple[Spread, Spread, Spread]:
        """Return the cost of a request on a kept connection in µs, and the ratios of it and of a relay's to nginx's."""
        count = 5 if self.smoke else REQUESTS
        ports = (self.subject, self.subject.kept), (self.subject, self.subject.relay), (self.nginx, self.nginx.relay)
        found = [[kept_cost(each, port, self.context, count) for each, port in ports] for _ in range(self.rounds)]
        ours, relayed, theirs = (spread(samples) for samples in zip(*found, strict=True))
        return ours, ratio_of_rounds(ours, theirs), ratio_of_rounds(relayed, theirs)


def measure_tls(
    engine: str, build: Path, cores: tuple[int, int], rounds: int, tell: Callable[[str], None], *, smoke: bool
) -> Secured:
    """Measure an engine, nginx and the floor in turns. Raises CouldNotRun, LoadFailed, OSError or ProcessesChanged.

    `cores`: those of the servers and of the client.
    """
    make_certificate(build)
    context, connections = client_context(build), 20 if smoke else IDLE
    with ExitStack() as stack:
        upstream = stack.enter_context(started(CONTENDERS["floor"], build, cores[1])).port
        subject = stack.enter_context(answerback(engine, build, cores[0], upstream))
        least = stack.enter_context(floor(build, cores[0]))
        measured = TlsBench(
            subject, stack.enter_context(nginx(build, cores[0], upstream)), least, context, rounds, smoke
        )
        stack.enter_context(pinned(cores[1]))
        tell(f"tls: {engine}, {connections} idle connections")
        (plain, idle), (bare,) = (
            idle_kib(subject, ((subject.plain, None), (subject.idle, context)), connections),
            idle_kib(least, ((least.idle, context),), connections),
        )
        tell(f"tls: {engine}, full and resumed handshakes beside nginx and the floor, {rounds} rounds")
        full, resumed = (measured.handshakes(kind) for kind in KINDS)
        tell(f"tls: {engine}, requests on a kept connection beside nginx, {rounds} rounds")
        kept = measured.requests()
        tell(f"tls: {engine}, certificates that are renewed under handshakes")
        shown = partial(certificate_shown, subject.port, any_certificate())
        rotation = renewed(shown, partial(make_certificate, build), between=20 if smoke else BETWEEN)
    return Secured(engine, *full, *resumed, *kept, idle, plain, bare, rotation)
