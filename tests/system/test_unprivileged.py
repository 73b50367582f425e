"""`accept` with an unprivileged server: not root, and without network capabilities."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from time import monotonic

import pytest

from answerback.cli.client import connected
from answerback.v1.config_pb2 import Config
from answerback.v1.config_service_pb2 import UpdateConfigRequest
from tests.ports import IPV6
from tests.system.conftest import CALL_SECONDS, Start
from tests.system.scraping import worker_pids
from tests.system.test_accept import CLIENTS, CONFIG, MODES, Switched, told, walks
from tests.waiting import eventually

pytestmark = pytest.mark.long

NOBODY = 65534
# It may read everything, because the interpreter may be installed where only root looks. That gives no right but this.
READ_ONLY = "-all,+dac_read_search"
UNDER = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *(f"--inh-caps={READ_ONLY}", f"--ambient-caps={READ_ONLY}", f"--bounding-set={READ_ONLY}"),
)
CAN_READ = 1 << 2  # CAP_DAC_READ_SEARCH, of linux/capability.h

addresses = pytest.mark.parametrize(
    "address, workers",
    [
        ("127.0.0.1:0", 1),
        ("0.0.0.0:0", 2),
        pytest.param("[::1]:0", 2, marks=IPV6),
        pytest.param("[::]:0", 4, marks=IPV6),
    ],
)


@pytest.fixture
def address() -> str:
    return "127.0.0.1:0"


@pytest.fixture
def workers() -> int:
    return 2


@pytest.fixture
def switched(start_server: Start, address: str, workers: int) -> Iterator[Switched]:
    """Afterwards the counters must equal the served clients, and the end be in order."""
    config = CONFIG.format(address=address, engine="callback", accept="NORMAL")
    under = () if os.geteuid() else UNDER
    made = Switched(start_server(config, "--workers", str(workers), under=under))
    yield made
    if made.running.process.poll() is None:
        eventually(lambda: made.metrics().balanced("it"), what="balanced books")
    assert made.running.stop() == 0
    assert made.deaths or not [line for line in made.running.lines() if line["level"] in ("ERROR", "CRITICAL")]


def accepted(switched: Switched) -> float:
    return switched.metrics().value("connections_accepted_total", listener="it")


def replaced(switched: Switched, pids: Sequence[int]) -> bool:
    return not {0, *pids} & set(worker_pids(switched.running))


def capabilities(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff"))


def test_unprivileged_server_has_no_capabilities(switched: Switched) -> None:
    for pid in (switched.running.process.pid, *worker_pids(switched.running)):
        assert capabilities(pid) | CAN_READ == CAN_READ
        assert os.stat(f"/proc/{pid}").st_uid != 0  # noqa: PTH116


@addresses
def test_unprivileged_stall_times_clients_out_and_ends_within_a_second(switched: Switched) -> None:
    for round_ in (1, 2):
        switched.switch("STALL")
        assert switched.try_many() == {"STALL": CLIENTS}
        began = monotonic()
        switched.switch("NORMAL")
        assert switched.try_once() == "NORMAL"
        assert monotonic() - began < 1.0
        assert switched.try_many() == {"NORMAL": CLIENTS}
        assert accepted(switched) == round_ * (CLIENTS + 1)


def test_unprivileged_client_waiting_in_a_stall_is_served_when_it_ends(switched: Switched) -> None:
    switched.switch("STALL")
    with ThreadPoolExecutor(CLIENTS) as pool:
        waiting = [pool.submit(switched.try_once, 30.0) for _ in range(CLIENTS)]
        assert switched.try_once() == "STALL"
        switched.switch("NORMAL")
        assert {each.result() for each in waiting} == {"NORMAL"}


def test_unprivileged_accept_mode_switches_from_any_to_any_other(switched: Switched) -> None:
    counted = 0
    for mode in walks(MODES)[1:]:
        switched.switch(mode)
        assert switched.try_many() == {mode: CLIENTS}, mode
        counted += CLIENTS * (mode not in ("REFUSE", "STALL"))
        assert accepted(switched) == counted


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_unprivileged_stall_outlasts_worker_deaths(switched: Switched) -> None:
    switched.switch("STALL")
    switched.deaths = True
    for _ in range(2):
        before = worker_pids(switched.running)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert switched.try_many() == {"STALL": CLIENTS}, "while nobody is there"
        eventually(partial(replaced, switched, before), what="successors")
        eventually(lambda: all(one["revision"] == 2 for one in switched.running.status()["workers"]), what="they serve")
        assert switched.try_many() == {"STALL": CLIENTS}
    switched.switch("NORMAL")
    assert switched.try_many() == {"NORMAL": CLIENTS}
    assert accepted(switched) == CLIENTS


def test_unprivileged_stall_ends_despite_worker_deaths(switched: Switched) -> None:
    switched.switch("STALL")
    switched.deaths = True
    for pid in worker_pids(switched.running):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: switched.switched_amid_deaths("NORMAL"), what="a change that no death comes between")
    with ThreadPoolExecutor(CLIENTS) as pool:
        assert {*pool.map(lambda _: switched.try_once(30.0), range(CLIENTS))} == {"NORMAL"}
    assert accepted(switched) == CLIENTS


def test_stall_continues_through_changes_of_other_listeners_and_its_name(switched: Switched) -> None:
    switched.switch("STALL")
    with connected(switched.running.admin, CALL_SECONDS) as client:
        config = Config()
        config.CopyFrom(client.get_config().config)
        other = config.listeners.add(name="other", address="127.0.0.1:0")
        other.rules.add(name="echo").do.add().echo.SetInParent()
        client.update_config(UpdateConfigRequest(config=config))
        assert switched.try_many() == {"STALL": CLIENTS}
        config.listeners[1].rules[0].name = "changed"
        client.update_config(UpdateConfigRequest(config=config))
        assert switched.try_many() == {"STALL": CLIENTS}
        del config.listeners[1]
        client.update_config(UpdateConfigRequest(config=config))
    assert switched.try_many() == {"STALL": CLIENTS}
    switched.switch("NORMAL")
    assert switched.try_many() == {"NORMAL": CLIENTS}
    assert accepted(switched) == CLIENTS


def test_unprivileged_stalled_listener_is_drained_and_resumed(switched: Switched) -> None:
    switched.switch("STALL")
    assert switched.running.cli("drain", "--listener", "it").returncode == 0
    assert switched.try_many() == {"REFUSE": CLIENTS}
    assert switched.running.cli("resume", "--listener", "it").returncode == 0
    assert switched.try_many() == {"STALL": CLIENTS}
    switched.switch("NORMAL")
    assert switched.try_many() == {"NORMAL": CLIENTS}
    assert accepted(switched) == CLIENTS


def test_unprivileged_stall_outlasts_a_restart_of_workers(switched: Switched) -> None:
    switched.switch("STALL")
    assert switched.running.cli("restart").returncode == 0
    assert switched.try_many() == {"STALL": CLIENTS}
    switched.switch("NORMAL")
    assert switched.try_many() == {"NORMAL": CLIENTS}
    assert accepted(switched) == CLIENTS


def test_unprivileged_server_stops_during_a_stall(switched: Switched) -> None:
    switched.switch("STALL")
    assert switched.running.stop() == 0
    assert switched.try_once() == "REFUSE"


def test_unprivileged_accept_switch_leaves_open_connections_alone(switched: Switched) -> None:
    with ExitStack() as stack:
        talking = [stack.enter_context(switched.running.connect()) for _ in range(CLIENTS)]
        for mode in ("STALL", "REFUSE", "STALL", "NORMAL"):
            switched.switch(mode)
            assert [told(sock) for sock in talking] == ["NORMAL"] * CLIENTS
