"""Certificates of listeners: read again when they change, and never without their keys."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from answerback.language.problems import InvalidConfig
from answerback.supervisor.operations import certificate_watcher
from tests.certifying import LONG_AGO, Authority, Issued, become
from tests.ports import free_port
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import ANY, Edited, Supervised, config, until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_watcher, "POLL_SECONDS", 0.05)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(
    issued: Issued, answer: str = "one", *, name: str = "hello", engine: str = "CALLBACK", more: str = ""
) -> str:
    """A listener with TLS that answers whatever it is sent with a word, and closes."""
    return f"""
- name: {name}
  address: "{ANY}"
  engine: {engine}
  tls: {{cert: {issued.certificate}, key: {issued.key}{more}}}
  rules:
  - do: [{{send: {answer}}}, close]
"""


def ask(port: int, authority: Authority) -> tuple[bytes, bytes]:
    """The certificate that a server shows to a client that verifies it, and its answer up to close_notify."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    raw = socket.create_connection(("127.0.0.1", port), timeout=20)
    with raw, context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
        client.sendall(b"hi\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        return client.getpeercert(binary_form=True) or b"", answer


async def shown(supervisor: Supervised, authority: Authority, name: str = "hello", count: int = 8) -> set[bytes]:
    """The certificates that this number of clients are shown."""
    port = supervisor.port(name)
    found = await asyncio.gather(*(asyncio.to_thread(ask, port, authority) for _ in range(count)))
    assert {answer for _, answer in found} == {b"one"}
    return {certificate for certificate, _ in found}


async def until_shown(supervisor: Supervised, authority: Authority, certificate: bytes) -> None:
    """Wait until all workers, which were told a moment ago, show a certificate."""
    for _ in range(100):
        if await shown(supervisor, authority) == {certificate}:
            return
    raise AssertionError("some worker shows another certificate")


def der(issued: Issued) -> bytes:
    """The first certificate of a file, as clients see it."""
    first, end, _ = issued.certificate.read_text().partition("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(first + end)


@pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])
async def test_each_worker_serves_tls_and_renewed_certificates(
    supervise: Supervise, authority: Authority, engine: str
) -> None:
    issued, other = authority.issue(), authority.issue("other")
    before, after = der(issued), der(other)
    supervisor = await supervise(secured(issued, engine=engine), workers=2)
    assert await shown(supervisor, authority) == {before}
    become(issued, other)
    await until(lambda: supervisor.status().certificates_loaded == 1)
    await until_shown(supervisor, authority, after)
    pid = supervisor.kill(0)
    await supervisor.until_replaced(0, pid)
    assert await shown(supervisor, authority, count=16) == {after}


async def test_certificate_without_its_key_leaves_the_former_ones(
    supervise: Supervise, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    issued, other = authority.issue(), authority.issue("other")
    before = der(issued)
    supervisor = await supervise(secured(issued))
    issued.certificate.write_bytes(other.certificate.read_bytes())
    await until(lambda: supervisor.status().certificates_rejected == 1)
    assert await shown(supervisor, authority) == {before}
    said = [record.message for record in caplog.records if "still used" in record.message]
    why = f"{issued.key}: does not belong to the first certificate in {issued.certificate}"
    assert said == [f"the certificates before are still used: {why}"]
    issued.key.write_bytes(other.key.read_bytes())
    await until(lambda: supervisor.status().certificates_loaded == 1)
    await until_shown(supervisor, authority, der(other))
    assert supervisor.status().certificates_rejected == 1


async def test_change_of_other_parts_is_accepted_while_a_key_is_missing(
    supervise: Supervise, authority: Authority
) -> None:
    issued = authority.issue()
    supervisor = await supervise(secured(issued))
    issued.key.unlink()

    def rename(given: object) -> object:
        given.listeners[0].rules[0].name = "renamed"  # type: ignore[attr-defined]
        return given

    await supervisor.edit(Edited(rename))  # type: ignore[arg-type]
    assert await shown(supervisor, authority) == {der(issued)}
    pid = supervisor.kill(0)
    await supervisor.until_replaced(0, pid)
    assert await shown(supervisor, authority) == {der(issued)}


async def test_change_with_wrong_files_is_rejected_as_a_whole(
    supervise: Supervise, authority: Authority, tmp_path: Path
) -> None:
    issued = authority.issue()
    supervisor = await supervise(secured(issued), files=tmp_path)
    wrong = Issued(issued.certificate, tmp_path / "none.key")
    given = config(secured(issued, "two"), secured(wrong, name="other"))
    with pytest.raises(InvalidConfig) as rejected:
        await supervisor.update(given)
    assert str(rejected.value) == (
        f"listeners[1].tls.key: cannot be used: {tmp_path}/none.key: No such file or directory"
    )
    assert supervisor.current.number == 1
    assert await shown(supervisor, authority) == {der(issued)}


async def test_file_outside_is_kept_where_it_is_and_not_named_elsewhere_through_the_api(
    supervise: Supervise, authority: Authority, tmp_path: Path
) -> None:
    issued = authority.issue()
    (tmp_path / "files").mkdir()
    supervisor = await supervise(secured(issued), files=tmp_path / "files")
    await supervisor.update(config(secured(issued), "\n- {name: more, address: '127.0.0.1:0'}"))
    assert await shown(supervisor, authority) == {der(issued)}
    for moved in (secured(issued, name="thief"), secured(issued, more=", alpn: [h2]")):
        with pytest.raises(InvalidConfig, match="it is outside the directory of `serve --files`"):
            await supervisor.update(config(moved))


async def test_api_names_files_relative_to_the_folder_of_files(
    supervise: Supervise, authority: Authority, tmp_path: Path
) -> None:
    authority.issue()
    supervisor = await supervise("\n- {name: a, address: '127.0.0.1:0'}", files=tmp_path)
    await supervisor.update(config(secured(Issued(Path("ca-server.pem"), Path("ca-server.key")))))
    assert supervisor.current.config.listeners[0].tls.cert == f"{tmp_path}/ca-server.pem"
    assert len(await shown(supervisor, authority)) == 1


async def test_rollback_reads_the_files_again(supervise: Supervise, authority: Authority) -> None:
    issued, other = authority.issue(), authority.issue("other")
    supervisor = await supervise(secured(issued))
    await supervisor.update(config("\n- {name: hello, address: '127.0.0.1:0', rules: [{do: [close]}]}"))
    become(issued, other)
    await supervisor.rollback(1)
    assert await shown(supervisor, authority) == {der(issued)}


async def test_keys_are_neither_in_revisions_nor_in_the_log(
    supervise: Supervise, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    issued, other = authority.issue(), authority.issue("other")
    secrets = [line for each in (issued, other) for line in each.key.read_text().splitlines()[1:-1]]
    supervisor = await supervise(secured(issued))
    become(issued, other)
    await until(lambda: supervisor.status().certificates_loaded == 1)
    revision = supervisor.current
    everything = caplog.text + repr(revision) + str(revision.config) + repr(revision.files)
    assert not any(secret in everything for secret in secrets)
    assert revision.files == {}


async def test_certificate_that_clients_reject_is_served_with_a_warning(
    supervise: Supervise, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    expired = authority.issue("old", not_before=LONG_AGO, not_after=LONG_AGO.replace(year=2021))
    expired.key.chmod(0o644)
    supervisor = await supervise(secured(expired))
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        await asyncio.to_thread(ask, supervisor.port(), authority)
    await until(lambda: len([each for each in caplog.messages if "clients that verify" in each]) == 1)
    assert "the certificate of tls.cert: clients that verify it reject it: certificate has expired" in caplog.messages
    assert f"the private key {expired.key} is readable by all users of this machine: chmod o-r" in caplog.messages


async def test_rotation_under_load_loses_no_handshake(supervise: Supervise, authority: Authority) -> None:
    issued = authority.issue()
    others = [authority.issue(f"other{number}") for number in range(4)]
    supervisor = await supervise(secured(issued), workers=2)
    port, stop = supervisor.port(), asyncio.Event()
    answers: list[bytes] = []

    async def client() -> None:
        while not stop.is_set():
            answers.append((await asyncio.to_thread(ask, port, authority))[1])

    clients = [asyncio.create_task(client()) for _ in range(4)]
    for loaded, other in enumerate(others, start=1):
        become(issued, other)
        await until(lambda loaded=loaded: supervisor.status().certificates_loaded >= loaded)  # type: ignore[misc]
        enough = len(answers) + 20
        await until(lambda enough=enough: len(answers) >= enough)  # type: ignore[misc]
    stop.set()
    await asyncio.gather(*clients)
    assert set(answers) == {b"one"}
    await until_shown(supervisor, authority, der(issued))


async def test_files_of_an_upstream_are_read_again(supervise: Supervise, authority: Authority, tmp_path: Path) -> None:
    port, trusted = free_port(), tmp_path / "trusted.pem"
    trusted.write_bytes(Authority(tmp_path, "other").certificate.read_bytes())
    upstream = secured(authority.issue()).replace(ANY, f"127.0.0.1:{port}")
    relay = f"""
- name: relay
  address: "{ANY}"
  upstream: {{address: "localhost:{port}", tls: {{ca: {trusted}}}}}
"""
    supervisor = await supervise(upstream + relay, workers=2)

    def relayed() -> bytes:
        with socket.create_connection(("127.0.0.1", supervisor.port("relay")), timeout=20) as client:
            client.sendall(b"hi\n")
            return client.recv(100)

    with pytest.raises(ConnectionError):
        await asyncio.to_thread(relayed)
    trusted.with_suffix(".new").write_bytes(authority.certificate.read_bytes())
    trusted.with_suffix(".new").rename(trusted)
    await until(lambda: supervisor.status().certificates_loaded == 1)
    for _ in range(8):  # by either worker
        assert await asyncio.to_thread(relayed) == b"one"


async def test_paths_of_the_file_are_relative_to_its_folder(
    supervise: Supervise, authority: Authority, tmp_path: Path
) -> None:
    authority.issue()
    relative = Issued(Path("ca-server.pem"), Path("ca-server.key"))
    supervisor = await supervise(secured(relative))
    assert supervisor.current.config.listeners[0].tls.key == f"{tmp_path}/ca-server.key"
    assert len(await shown(supervisor, authority)) == 1
    await supervisor.reload()
    assert supervisor.current.number == 1
