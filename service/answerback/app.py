"""The main program of `answerback serve`: supervisor, admin API, metrics, signals."""

# Rule: our own ports are bound before a worker is started, so that a port in use is reported at once.
# Rule: the admin API and the probes answer until the last connection is gone, so that the end can be observed.

import asyncio
import logging
import math
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from answerback import __version__, logs, port_file
from answerback.concurrency import scheduling
from answerback.concurrency.tasks import Tasks
from answerback.control import heap
from answerback.control.address import OFF, bracketed, parse, reserved
from answerback.control.credentials import Protection
from answerback.control.server import AdminServer
from answerback.core.plan import Engine
from answerback.core.wildcards import destination
from answerback.language.addresses import is_unix
from answerback.language.contents import Contents
from answerback.logs.formatting import printable
from answerback.shared.counters import SharedCounters
from answerback.shared.variables_folder import variables_folder
from answerback.supervisor import Options, Retention, StartError, Status, Supervisor, limits
from answerback.supervisor.revisions.sqlite_store import SqliteStore
from answerback.supervisor.revisions.store import KEPT
from answerback.v1.config_pb2 import Config

if TYPE_CHECKING:
    from answerback.toxiproxy.server import Server

# Seconds for the last responses over HTTP; the supervisor reserves them in the grace period.
CLOSING_SECONDS: Final = 0.25

LONGEST_AGE: Final = 1e11  # seconds, some 3,000 years: the limit of timedelta

BANNER_LEVELS: Final = ("debug", "info")  # it says what the log says at these

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions(Protection):
    """The options of `answerback serve`; times in seconds."""

    config: Path | None = None
    config_text: bytes | None = None
    """The content of `config`, if that is no file but what came on standard input."""
    watch_config: bool = False
    workers: int = 1
    admin: str = "127.0.0.1:50051"
    metrics: str = "127.0.0.1:9464"
    toxiproxy_api: str = OFF
    port_file: Path | None = None
    engine: str = "callback"
    drain_delay: float = 0.0
    grace: float = 8.0
    log_format: str = "text"
    log_level: str = "info"
    files: Path | None = None
    state: Path | None = None
    keep_revisions: int = KEPT
    keep_age: float = math.inf
    admin_reflection: bool = False


def run(options: ServeOptions) -> int:
    """Serve until told to stop; return the exit code. Raises StartError or InvalidConfig if it cannot start."""
    limits.check(options.workers)
    heap.bound()
    scheduling.let_workers_first()
    try:
        return uvloop.run(serve(options))
    except (OSError, MemoryError, RuntimeError) as error:
        shortage = limits.shortage(error)
        if shortage is None:
            raise
        raise StartError(shortage) from None


async def serve(options: ServeOptions) -> int:
    """Serve until a signal ends it; return the exit code. Raises as `run` does, and OSError or MemoryError."""
    logs.configure(options.log_format, options.log_level)
    async with AsyncExitStack() as stack:
        supervisor_options = _supervisor_options(options, _variables_folder(stack))
        store, contents = None, Contents()
        if options.state is not None:
            store = await SqliteStore.open(options.state, supervisor_options.retention, contents)
            stack.push_async_callback(store.close)
        try:
            supervisor = Supervisor(supervisor_options, store=store, contents=contents)
        except OSError as error:
            raise StartError(limits.no_room(error, SharedCounters.size(supervisor_options.workers + 1))) from None
        admin = AdminServer(supervisor, parse(options.admin), options, reflection=options.admin_reflection)
        stack.push_async_callback(admin.stop)
        metrics = await _serve_metrics(supervisor, options.metrics, stack)
        proxies = _toxiproxy_api(supervisor, options.toxiproxy_api, stack)
        signals = Signals(supervisor, reloads=options.config is not None and options.config_text is None)
        starting = asyncio.create_task(supervisor.start())
        if not await _done_before(starting, signals.end):
            starting.cancel()
            await asyncio.wait((starting,))
            return 0
        await starting  # raises what it raised
        await admin.start()
        if proxies is not None:
            proxies.begin()
        ours = (admin.address, metrics, proxies.address if proxies is not None else "")
        if options.port_file is not None:
            listeners = {one.name: one.address for one in supervisor.status().listeners}
            stack.enter_context(port_file.written(options.port_file, listeners, *ours))
        announce(options, supervisor, *ours)
        return await _until_signalled(supervisor, signals)


async def _serve_metrics(supervisor: Supervisor, address: str, stack: AsyncExitStack) -> str:
    """Serve metrics, probes and the page until the stack is closed; return where, or nothing if they are off."""
    if address == OFF:
        return ""
    from answerback.web import site  # noqa: PLC0415 - aiohttp and prometheus_client take 14 MB

    http = await site.serve(supervisor, address)
    stack.push_async_callback(_close_soon, http.close)
    return http.address


def _toxiproxy_api(supervisor: Supervisor, address: str, stack: AsyncExitStack) -> "Server | None":
    """Listen for Toxiproxy's API until the stack is closed; return its server, or None if it is off."""
    if address == OFF:
        return None
    from answerback.toxiproxy.server import Server  # noqa: PLC0415 - as above

    server = Server(supervisor, address)
    stack.push_async_callback(_close_soon, server.close)
    return server


async def _close_soon(close: Callable[[], Awaitable[None]]) -> None:
    """Close something, without waiting long for slow clients."""
    with suppress(TimeoutError):
        await asyncio.wait_for(close(), CLOSING_SECONDS)


def _variables_folder(stack: AsyncExitStack) -> Path | None:
    """Make the directory of the shared variables, until the stack is closed; None if there is no room for it."""
    try:
        return stack.enter_context(variables_folder())
    except OSError as error:
        log.warning("no shared variables: no directory can be made in /dev/shm, nor in TMPDIR: %s", error.strerror)
        return None


def _supervisor_options(options: ServeOptions, variables: Path | None) -> Options:
    return Options(
        config_path=options.config,
        config_text=options.config_text,
        watch_config=options.watch_config,
        workers=options.workers,
        default_engine=Engine(options.engine),
        files=options.files,
        retention=Retention(count=options.keep_revisions, age=timedelta(seconds=min(options.keep_age, LONGEST_AGE))),
        drain_delay_seconds=options.drain_delay,
        grace_seconds=options.grace,
        reserved=reserved(options.admin, options.metrics, options.toxiproxy_api),
        variables=variables,
        log_format=options.log_format,
        log_level=options.log_level,
    )


class Signals:
    """The signals received by this process. Needs a running event loop."""

    def __init__(self, supervisor: Supervisor, *, reloads: bool) -> None:
        self.end = asyncio.Event()
        """Set by SIGTERM or SIGINT."""
        self.abort = asyncio.Event()
        """Set by a second signal."""
        self._supervisor = supervisor
        self._reloads = reloads
        self._tasks = Tasks()
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._end, signum)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _end(self, signum: signal.Signals) -> None:
        (self.abort if self.end.is_set() else self.end).set()
        log.info("%s: %s", signum.name, "aborting" if self.abort.is_set() else "draining; a second signal aborts")

    def _reload(self) -> None:
        if not self._reloads:
            log.warning("SIGHUP: no --config file to reload")
            return
        log.info("SIGHUP: reloading the configuration")
        self._tasks.start(self._supervisor.reload(), failure="the configuration was not reloaded")


async def _until_signalled(supervisor: Supervisor, signals: Signals) -> int:
    """Drain at the first signal, abort at the second, which exits with an error (as Kubernetes' own programs do)."""
    await signals.end.wait()
    stopping = asyncio.create_task(supervisor.stop())
    if await _done_before(stopping, signals.abort):
        await stopping
        return 0
    await supervisor.stop(abort=True)
    await stopping
    return 1


async def _done_before(task: "asyncio.Task[None]", event: asyncio.Event) -> bool:
    """Wait for a task or an event; return whether the task is done."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task.done()


def announce(options: ServeOptions, supervisor: Supervisor, admin: str, metrics: str, toxiproxy: str = "") -> None:
    """Log what listens where, and print a banner with a first command for people."""
    status = supervisor.status()
    if options.log_format == "json":
        for one in status.listeners:
            log.info("listening", extra={"kind": "listener", "listener": one.name, "address": one.address})
        for kind, address in (("admin", admin), ("metrics", metrics), ("toxiproxy", toxiproxy)):
            if address:
                log.info("listening", extra={"kind": kind, "address": address})
        log.info("serving", extra={"version": __version__, "revision": status.revision, "workers": options.workers})
    elif options.log_level in BANNER_LEVELS:
        logs.flush()  # so that it is printed after what was logged before
        sys.stderr.write(banner(status, supervisor.current.config, admin, metrics, toxiproxy))
        sys.stderr.flush()


def banner(status: Status, config: Config, admin: str, metrics: str, toxiproxy: str = "") -> str:
    """Return the text for a person who has started the server."""
    rows = [(one.name, one.address, f"{one.engine.value} engine") for one in status.listeners]
    rows.append(("admin", admin, "gRPC: answerback status, answerback apply FILE"))
    if metrics:
        rows.append(("metrics", metrics, f"http://{reachable(metrics)}/metrics, and a page at /"))
    if toxiproxy:
        rows.append(("toxiproxy", toxiproxy, f"Toxiproxy's API: http://{reachable(toxiproxy)}/proxies"))
    names, addresses = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"  {name:{names}}  {address:{addresses}}  {what}" for name, address, what in rows]
    workers = f"{len(status.workers)} worker{'s' * (len(status.workers) != 1)}"
    head = f"Answerback {__version__} serves revision {status.revision} with {workers}. Press Ctrl-C to stop."
    text = (head, *lines, f"Try: {first_command(status, config)}")
    return "".join(f"{printable(each)}\n" for each in text)  # a path may contain any character


def first_command(status: Status, config: Config) -> str:
    """Return a command that gets a reply from the first listener."""
    if not status.listeners:
        return "answerback apply FILE"
    payload = r"'hi\n'" if config.listeners[0].framing.HasField("line") else "hi"
    address = status.listeners[0].address
    if is_unix(config.listeners[0]):
        return f"printf {payload} | nc -U {address.partition(':')[2]}"
    host, _, port = reachable(address).rpartition(":")
    if config.listeners[0].HasField("tls"):
        return f"openssl s_client -quiet -connect {reachable(address)}"
    return f"printf {payload} | nc {host.strip('[]')} {port}"


def reachable(address: str) -> str:
    """Return an address to connect to, on this machine, for a listening address."""
    host, _, port = address.rpartition(":")
    return f"{bracketed(destination(host.strip('[]')))}:{port}"
