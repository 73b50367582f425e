"""The examples with TLS: clients accept the good certificates, and reject each bad one with its own error."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.talk.player import Player
from answerback.talk.script import parse
from answerback.talk.tls import TlsFailed, TlsNetwork, client_context
from answerback.v1 import config_pb2 as v1
from tests.system.conftest import RunningServer, Start
from tests.system.tls_examples import careless_client, make_certificates, place_certificates

EXAMPLES = Path(__file__).parents[2] / "service/answerback/examples"
PATIENCE_SECONDS = 20.0
ENGINES = ("callback", "coroutine")

Serve = Callable[[str, str], tuple[RunningServer, v1.Config, dict[str, str]]]


@pytest.fixture
def serve(start_server: Start, tmp_path: Path) -> Serve:
    """Serve an example with an engine: the server, the configuration, and the errors of its certificates by name."""

    def start(example: str, engine: str) -> tuple[RunningServer, v1.Config, dict[str, str]]:
        errors = make_certificates(tmp_path)
        config = load((EXAMPLES / f"{example}.yaml").read_text()).config
        for listener in config.listeners:
            listener.address = "127.0.0.1:0"
            place_certificates(listener.tls, tmp_path)
        return start_server(dump(config), "--engine", engine), config, errors

    return start


def play(running: RunningServer, listener: str, context: ssl.SSLContext, talk: str) -> None:
    network = TlsNetwork(("localhost", running.where(listener)[1]), context)
    with Player(network, PATIENCE_SECONDS) as player:
        player.play(parse(talk))


@pytest.mark.parametrize("engine", ENGINES)
def test_good_certificates_are_accepted_by_a_client_that_trusts_the_authority(
    serve: Serve, tmp_path: Path, engine: str
) -> None:
    running, config, _ = serve("tls-good", engine)
    talk = (EXAMPLES / "tls-good.talk").read_text()
    tls = tmp_path / "tls"
    trusting = client_context(tls / "ca.crt")
    assert [listener.name for listener in config.listeners] == ["ecdsa", "rsa", "client-certificate"]
    for name in ("ecdsa", "rsa"):
        play(running, name, trusting, talk)
    identified = client_context(tls / "ca.crt", tls / "client.crt", tls / "client.key")
    play(running, "client-certificate", identified, talk.replace("World", "client").replace(" 14", " 15"))
    end = TlsNetwork(running.where("client-certificate"), trusting).connect(PATIENCE_SECONDS)
    with pytest.raises(TlsFailed, match="CERTIFICATE_REQUIRED"):
        end.read(PATIENCE_SECONDS)
    end.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_each_bad_certificate_is_rejected_with_its_error_and_served_to_a_careless_client(
    serve: Serve, tmp_path: Path, engine: str
) -> None:
    running, config, errors = serve("tls-bad", engine)
    trusting = client_context(tmp_path / "tls" / "ca.crt")
    assert {listener.name for listener in config.listeners} == {name for name, error in errors.items() if error}
    for listener in config.listeners:
        network = TlsNetwork(("localhost", running.where(listener.name)[1]), trusting)
        with pytest.raises(TlsFailed, match=f"(?i)certificate is not accepted: {errors[listener.name]}"):
            network.connect(PATIENCE_SECONDS)
        careless = careless_client()
        if listener.name == "weak-key":
            careless.set_ciphers("DEFAULT@SECLEVEL=0")
        play(running, listener.name, careless, (EXAMPLES / "tls-bad.talk").read_text())
