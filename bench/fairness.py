"""How long well-behaved clients wait while others flood a listener with its shortest requests.

In one run and against one server, in alternation: the clients alone, and the clients beside attackers that send as fast
as they are read.
"""

# Rule: the attackers are a process of their own, so that a client's wait is the server's, not that of its own thread.

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from string import ascii_lowercase

from bench.cpu import pinned
from bench.load import REPLY, REQUEST, LoadFailed
from bench.memory import connect
from bench.results import Fairness
from bench.roster import CONFIG_ADDRESS, Contender, serve, started
from bench.server import Server
from bench.stats import percentile

ATTACKERS = (1, 60)
ENGINES = ("callback", "coroutine")
RULES = 300  # none of which the attackers' requests match
CLIENTS = 10
WINDOW_S = 4.0  # of one measurement: some 2,000 waits, so that a hundredth of them are twenty
SMOKE_WINDOW_S = 0.2
PAUSE_S = 0.001  # between two requests
FLOOD_BYTES = 64 << 10

_RULES = (
    "{{contains: nothing-{n}}}",
    "{{any: [{{prefix: nothing-{n}}}, {{suffix: -{n}}}]}}",
    "{{regex: 'n[a-z]+-{n}$'}}",
)


def configuration() -> str:
    """A listener with a rule for its clients, and many others."""
    text = f"listeners:\n  - name: bench\n    address: {CONFIG_ADDRESS}\n    framing: line\n    rules:\n"
    text += '      - {when: {equals: PING}, do: [send: "+PONG\\r\\n"]}\n'
    whens = (_RULES[number % len(_RULES)].format(n=number) for number in range(RULES))
    return text + "".join(f"      - {{when: {when}, do: [send: no]}}\n" for when in whens)


def flood() -> bytes:
    """64 KiB of the shortest requests: half of them alike, half of them different."""
    different = b"".join(b"%s\n" % "".join(letters).encode() for letters in product(ascii_lowercase, repeat=3))
    return (b"\n" * (FLOOD_BYTES // 2) + different)[:FLOOD_BYTES]


def measure_fairness(
    engine: str, build: Path, server_core: int, client_core: int, *, smoke: bool, tell: Callable[[str], None]
) -> Iterator[Fairness]:
    """Measure an engine, with each number of attackers. Raises CouldNotRun, LoadFailed, OSError."""
    contender = Contender(engine, engine, serve("fairness.yaml", configuration(), engine))
    window = SMOKE_WINDOW_S if smoke else WINDOW_S
    with started(contender, build, server_core) as server, pinned(client_core):
        for attackers in ATTACKERS:
            tell(f"fairness: {engine}, {attackers} attackers")
            calm = waits(server, window)
            with attacking(server.port, attackers):
                attacked = waits(server, window)
            p99 = [1000 * percentile(each, 0.99) for each in (calm, attacked)]
            worst = 1000 * max(attacked)
            yield Fairness(engine, attackers, len(attacked), calm_p99_ms=p99[0], p99_ms=p99[1], worst_ms=worst)


def waits(server: Server, seconds: float) -> list[float]:
    """What each request of well-behaved clients waits for its reply, in seconds."""
    found: list[float] = []
    with ExitStack() as stack:
        clients = connect(stack, server.port, CLIENTS)
        end = time.monotonic() + seconds
        while (began := time.monotonic()) < end or not found:
            client = clients[len(found) % CLIENTS]
            client.sendall(REQUEST)
            if (got := client.recv(len(REPLY), socket.MSG_WAITALL)) != REPLY:
                raise LoadFailed(f"fairness: answered {got!r}")
            found.append(time.monotonic() - began)
            time.sleep(PAUSE_S)
    return found


@contextmanager
def attacking(port: int, attackers: int) -> Iterator[None]:
    """Flood the port with this number of clients, in a process of their own."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        attack(port, attackers, told)
    os.close(told)
    try:
        with os.fdopen(ready, "rb") as pipe:
            if not pipe.read(1):
                raise LoadFailed("fairness: the attackers could not begin")
            yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def attack(port: int, attackers: int, told: int) -> None:
    """Flood the port until killed; say so once each has sent something."""
    try:
        data = flood()
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            for peer in connect(stack, port, attackers):
                peer.sendall(data)
                peer.setblocking(False)
                selector.register(peer, selectors.EVENT_WRITE, data)
            os.write(told, b"1")
            while True:
                for key, _ in selector.select():
                    taken = os.write(key.fd, key.data)
                    selector.modify(key.fileobj, selectors.EVENT_WRITE, key.data[taken:] or data)
    finally:
        os._exit(1)
