"""Every example does what it states: its conversation, on both engines, with one worker and with two."""

import re
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.language.check import check
from answerback.language.files import FilesBeneath, read_files
from answerback.language.lint import warnings
from answerback.talk.network import Network, SocketNetwork
from answerback.talk.player import Player
from answerback.talk.script import parse
from answerback.talk.tls import StartTlsNetwork, TlsNetwork
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.system.conftest import Start
from tests.system.tls_examples import careless_client, make_certificates, place_certificates

PATIENCE_SECONDS = 10.0
TOLERANCE_SECONDS = 10.0  # a busy machine is late; the earliest moment is kept to exactly

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
EXAMPLES = ROOT / "service/answerback/examples"
TALKS = sorted(EXAMPLES.glob("*.talk"), key=lambda talk: talk.stem)
PLAYED = [*TALKS, *sorted((Path(__file__).parent / "conversations").glob("*.talk"))]
"""The conversations of the examples, and those beside this file, which fix the language where no example does."""


def test_example_has_a_tested_conversation() -> None:
    assert TALKS
    assert [talk.stem for talk in TALKS] == sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: str(talk.stem))
def test_each_example_states_its_purpose_and_a_command_to_try(talk: Path) -> None:
    text = talk.with_suffix(".yaml").read_text()
    purpose, trial, *_ = text.splitlines()
    assert re.fullmatch(r"# \S.{20,109}\.", purpose)
    command = trial.removeprefix("# Try it: ")
    assert command != trial
    document = load(text)
    ports = {listener.address.rpartition(":")[2] for listener in document.config.listeners}
    assert ports & set(re.findall(r"\d+", command)), "a command that reaches it"
    assert all(int(port) >= 1024 for port in ports)
    files, missing = read_files(document.config, FilesBeneath(None))
    assert (files, missing) == ({}, []), "it stands alone"
    assert (check(document.config, files), warnings(document.config)) == ([], [])


def test_examples_use_different_ports() -> None:
    texts = "".join(path.read_text() for path in EXAMPLES.glob("*.yaml"))
    ports = re.findall(r"^ +address: \S+:(\d+)$", texts, re.MULTILINE)
    assert len(ports) >= len(TALKS)
    assert len(ports) == len(set(ports))


def test_examples_readme_lists_each_example_with_its_purpose() -> None:
    page = (EXAMPLES / "README.md").read_text()
    rows = re.findall(r"^\| \[`([a-z0-9-]+)`\]\(\1\.yaml\) \| (.+) \|$", page, re.MULTILINE)
    purposes = {path.stem: path.read_text().partition("\n")[0].removeprefix("# ") for path in EXAMPLES.glob("*.yaml")}
    assert dict(rows) == purposes


def test_first_configuration_of_the_readme_resets_two_replies_and_then_answers(start_server: Start) -> None:
    """As the README says below it."""
    first = re.findall(r"^```yaml\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)[0]
    running = start_server(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", first), "--workers", "2")
    replies = []
    for _ in range(5):
        with running.connect() as sock:
            sock.sendall(b"PING\r\n")
            try:
                replies.append(sock.recv(100))
            except ConnectionResetError:
                replies.append(b"reset")
    assert replies == [b"reset"] * 2 + [b"+PONG\r\n"] * 3


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that examples with TLS need, in the folder `tls`."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def all_of_them(certificates: Path) -> tuple[v1.Config, dict[str, v1.Listener]]:
    """The listeners of all that is played, on ports that are free, and the first one of each file.

    `certificates`: the folder that has the folder `tls`, as the examples with TLS have it beside them.
    """
    together, first = v1.Config(), {}
    for talk in PLAYED:
        document = load(talk.with_suffix(".yaml").read_text())
        assert not document.problems
        upstreams = {listener.upstream.address for listener in document.config.listeners} - {""}
        known = {address: f"127.0.0.1:{free_port()}" for address in upstreams}
        for listener in document.config.listeners:
            listener.name = f"{talk.parent.name}.{talk.stem}.{listener.name}"  # files may share a name
            listener.address = known.get(listener.address) or re.sub(r":\d+$", ":0", listener.address)
            if listener.HasField("upstream"):
                listener.upstream.address = known[listener.upstream.address]
            if listener.HasField("tls"):
                place_certificates(listener.tls, certificates)
        first[str(talk)] = document.config.listeners[0]
        together.MergeFrom(document.config)
    return together, first


def network_for(listener: v1.Listener, where: tuple[str, int]) -> Network:
    """A client's way to a listener: in the clear, over TLS, or in the clear until the talk begins TLS."""
    if not listener.HasField("tls"):
        return SocketNetwork(where)
    later = listener.tls.start == v1.Tls.START_ON_STEP
    return (StartTlsNetwork if later else TlsNetwork)(where, careless_client())


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_example_conversations_go_as_written(
    start_server: Start, engine: str, workers: str, certificates: Path
) -> None:
    config, first = all_of_them(certificates)
    running = start_server(dump(config), "--engine", engine, "--workers", workers)
    for talk in PLAYED:
        listener = first[str(talk)]
        where = running.where(listener.name)
        with Player(network_for(listener, where), PATIENCE_SECONDS, TOLERANCE_SECONDS) as player:
            player.play(parse(talk.read_text()))
