"""Certificates are replaced while many handshakes are made: none is lost, neither with clients nor with an upstream."""

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from tests.certifying import Authority, become
from tests.ports import free_port
from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics
from tests.waiting import eventually

pytestmark = pytest.mark.long

CLIENTS = 8
ROTATIONS = 4
BETWEEN = 200  # handshakes with a certificate before it is replaced, and with the next one, made without a pause

# The relay shows a certificate of its own to the listener, which answers with the name in it.
CONFIG = """\
listeners:
  - name: it
    address: 127.0.0.1:PORT
    tls: {cert: ca-server.pem, key: ca-server.key, client_ca: ca.pem, client_certificate: OPTIONAL}
    rules:
      - {event: CONNECT, do: [send: {template: "${tls.client_name}\\n"}, close]}
  - name: relay
    address: 127.0.0.1:0
    upstream: {address: "127.0.0.1:PORT", tls: {ca: ca.pem, cert: ca-client.pem, key: ca-client.key}}
"""


class Clients:
    """Threads that connect, hear an answer and its end, and begin again: half of them through the relay."""

    def __init__(self, server: RunningServer, authority: Authority) -> None:
        self._context = ssl.create_default_context(cafile=str(authority.certificate))
        self._server = server
        self.stop = threading.Event()
        self._counting = threading.Lock()
        self.direct: list[bytes] = []
        self.relayed: list[bytes] = []
        self.failures: list[str] = []
        self.made: Counter[bytes | None] = Counter()
        """How many direct handshakes there were with each certificate."""
        self.rate = 0.0
        """Handshakes per second, with both ends on this machine."""
        self._began = monotonic()
        self._threads = [threading.Thread(target=self._run, args=(bool(each % 2),)) for each in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _run(self, relayed: bool) -> None:
        while not self.stop.is_set() and not self.failures:
            try:
                if relayed:
                    self.relayed.append(self._through_the_relay())
                else:
                    self.direct.append(self._with_tls())
            except Exception as error:  # noqa: BLE001 - whatever it is, a handshake was lost
                self.failures.append(f"{'relayed' if relayed else 'direct'}: {error!r}")

    def _with_tls(self) -> bytes:
        raw = socket.create_connection(self._server.where("it"), 30)
        with raw, self._context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            certificate = client.getpeercert(binary_form=True)
            heard = b"".join(iter(lambda: client.recv(100), b""))
        with self._counting:
            self.made[certificate] += 1
        return heard

    def _through_the_relay(self) -> bytes:
        with self._server.connect("relay", 30) as client:
            return b"".join(iter(lambda: client.recv(100), b""))

    def finish(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)
        self.rate = (len(self.direct) + len(self.relayed)) / (monotonic() - self._began)


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_rotation_under_handshakes_at_full_speed_loses_none(
    start_server: Start, tmp_path: Path, engine: str, record_property: Callable[[str, object], None]
) -> None:
    authority = Authority(tmp_path)
    issued, shown = authority.issue(), authority.issue("client", "client.test", common_name="client 0")
    others = [
        (
            authority.issue(f"server{each}"),
            authority.issue(f"client{each}", "client.test", common_name=f"client {each}"),
        )
        for each in range(1, ROTATIONS + 1)
    ]
    server = start_server(CONFIG.replace("PORT", str(free_port())), "--engine", engine, "--workers", "2")
    clients = Clients(server, authority)

    def loaded() -> float:
        return Metrics.scrape(server.metrics).value("certificates_loaded_total")

    try:
        eventually(lambda: len(clients.direct) >= BETWEEN or clients.failures, within=60)
        for number, (own, of_relay) in enumerate(others, start=1):
            become(issued, own)
            become(shown, of_relay)
            eventually(lambda number=number: loaded() >= 2 * number or clients.failures, within=60)  # type: ignore[misc]
            enough = len(clients.direct) + BETWEEN
            eventually(lambda enough=enough: len(clients.direct) >= enough or clients.failures, within=60)  # type: ignore[misc]
            last = f"client {number}\n".encode()
            eventually(lambda last=last: last in clients.relayed[-CLIENTS:] or clients.failures, within=60)  # type: ignore[misc]
    finally:
        clients.finish()
    record_property("handshakes_per_second", round(clients.rate))
    assert clients.failures == []
    assert set(clients.direct) == {b"\n"}
    assert set(clients.relayed) >= {f"client {number}\n".encode() for number in range(1, ROTATIONS + 1)}
    assert len(clients.made) == ROTATIONS + 1
    assert min(clients.made.values()) >= BETWEEN - CLIENTS  # some were on their way when it was loaded
