"""A port scanner finds the port in the state that `accept` sets, and recognises services."""

import re
from typing import NamedTuple

import pytest

from tests.programs.conftest import ANSWERBACK, Serve
from tests.programs.test_programs import output, value
from tests.waiting import eventually

pytestmark = pytest.mark.programs

CONFIG = """
listeners:
  - name: it
    address: 127.0.0.1:PORT
    accept: NORMAL
    rules:
      - do: [echo]
"""


class Candidate(NamedTuple):
    """What nmap says of a port."""

    state: str
    service: str


def scan(port: int, *options: str) -> Candidate:
    """Look at one port of the loopback, with plain connects, which need no privilege."""
    said = output("nmap", "-n", "-Pn", "-sT", *options, "-p", str(port), "-oG", "-", "127.0.0.1")
    found = re.search(rf"Ports: {port}/([a-z|]+)/tcp//([^/]*)/", said)
    assert found is not None, said
    return Candidate(*found.groups())


def test_nmap_sees_the_port_state_of_each_accept_mode(serve: Serve) -> None:
    server = serve(CONFIG)
    for mode, state in (
        ("STALL", "filtered"),
        ("NORMAL", "open"),
        ("REFUSE", "closed"),
        ("HOLD", "open"),
        ("STALL", "filtered"),
        ("CLOSE", "open"),
        ("RESET", "open"),
        ("REFUSE", "closed"),
        ("NORMAL", "open"),
    ):
        config = CONFIG.replace("NORMAL", mode).replace("PORT", str(server.port))
        output(str(ANSWERBACK), "apply", "-", "--server", f"127.0.0.1:{server.admin}", say=config)
        assert (mode, scan(server.port).state) == (mode, state)


def test_nmap_scan_is_counted_as_a_connection_without_data(serve: Serve) -> None:
    server = serve(CONFIG)
    assert scan(server.port).state == "open"
    for name in ("connections_accepted", "connections_without_data"):
        series = f'answerback_{name}_total{{listener="it"}}'
        eventually(lambda: value(server.scrape(), series) == 1, what=series)  # noqa: B023 - called at once


@pytest.mark.parametrize("name, service", [("daytime", "daytime"), ("pop3", "pop3"), ("memcached", "memcached")])
def test_nmap_recognises_the_protocol_of_an_example(serve: Serve, name: str, service: str) -> None:
    example = output(str(ANSWERBACK), "examples", name)
    server = serve(re.sub(r"(?m)^( *(?:- )?address: \S*:)\d+", r"\1PORT", example))
    assert scan(server.port, "-sV", "--version-intensity", "2") == Candidate("open", service)
