"""The relays that are compared: how each is started. Each has two ports, for small round trips and for much."""

# Rule: identical work: one thread or process, no access log, and each program's own buffer sizes.

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.roster import CONFIG_ADDRESS, HERE, Contender, Launch, serve, started
from bench.server import CouldNotRun, Server, free_port

CONNECTIONS = 16384  # more than any part opens
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")  # where Debian has it; else it is built in

ANSWERBACK = """\
listeners:
  - {name: bench, address: "@SMALL@", upstream: "127.0.0.1:@FLOOR@", limits: {idle_timeout: 1h}}
  - {name: much, address: "127.0.0.1:@MUCH@", upstream: "127.0.0.1:@SOURCE@", limits: {idle_timeout: 1h}}
"""
HAPROXY = f"""\
global
  nbthread 1
  maxconn {CONNECTIONS // 2}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen small
  bind 127.0.0.1:@SMALL@ backlog 4096
  server upstream 127.0.0.1:@FLOOR@
listen much
  bind 127.0.0.1:@MUCH@
  server upstream 127.0.0.1:@SOURCE@
"""
NGINX = f"""\
@MODULE@daemon off;
worker_processes 1;
worker_rlimit_nofile {CONNECTIONS};
pid @BUILD@/nginx-relay.pid;
error_log stderr crit;
events {{ worker_connections {CONNECTIONS}; }}
stream {{
  proxy_timeout 1h;
  server {{ listen 127.0.0.1:@SMALL@ backlog=4096; proxy_pass 127.0.0.1:@FLOOR@; }}
  server {{ listen 127.0.0.1:@MUCH@; proxy_pass 127.0.0.1:@SOURCE@; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The ports of the real servers: one answers each line, the other one sends much."""

    floor: int
    source: int


@dataclass(frozen=True, slots=True)
class Running:
    """A relay, and its port in front of the upstream that sends much."""

    server: Server
    much: int


@dataclass(frozen=True, slots=True)
class Proxy:
    """`prepare` is given a folder, the upstreams and the port for much; it raises CouldNotRun."""

    key: str
    title: str
    prepare: Callable[[Path, Upstreams, int], Launch]


def filled(text: str, **values: object) -> str:
    """Replace each @NAME@."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def program(name: str) -> str:
    """Return the path of a program, which may be one for administrators. Raises CouldNotRun."""
    found = shutil.which(name) or shutil.which(name, path=os.defpath + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise CouldNotRun(f"{name} is not installed")
    return found


def answerback(engine: str) -> Callable[[Path, Upstreams, int], Launch]:
    """Run Answerback with an engine."""

    def prepare(build: Path, upstreams: Upstreams, much: int) -> Launch:
        config = filled(ANSWERBACK, SMALL=CONFIG_ADDRESS, MUCH=much, FLOOR=upstreams.floor, SOURCE=upstreams.source)
        return serve(f"relay-{engine}.yaml", config, engine)(build)

    return prepare


def uvloop(_build: Path, upstreams: Upstreams, much: int) -> Launch:
    """Run the bare proxy with this Python."""
    if find_spec("uvloop") is None:
        raise CouldNotRun(f"uvloop is not installed for {sys.executable}")
    small = free_port()
    ports = (f"{small}:{upstreams.floor}", f"{much}:{upstreams.source}")
    return Launch([sys.executable, str(HERE / "contenders" / "uvloop_proxy.py"), *ports], (small, 0))


def haproxy(build: Path, upstreams: Upstreams, much: int) -> Launch:
    """Run HAProxy in its foreground."""
    small, file = free_port(), build / "haproxy.cfg"
    file.write_text(filled(HAPROXY, SMALL=small, MUCH=much, FLOOR=upstreams.floor, SOURCE=upstreams.source))
    return Launch([program("haproxy"), "-db", "-q", "-f", str(file)], (small, 0))


def nginx(build: Path, upstreams: Upstreams, much: int) -> Launch:
    """Run nginx with its stream module."""
    small, file = free_port(), build / "nginx-relay.conf"
    text = filled(NGINX, SMALL=small, MUCH=much, FLOOR=upstreams.floor, SOURCE=upstreams.source)
    return nginx_with(build, text, file, small)


def nginx_with(build: Path, text: str, file: Path, port: int) -> Launch:
    """Run nginx with a configuration that is to be completed. Raises CouldNotRun."""
    module = f"load_module {NGINX_MODULE};\n" if NGINX_MODULE.exists() else ""
    file.write_text(filled(text, MODULE=module, BUILD=build))
    return Launch([program("nginx"), "-p", str(build), "-e", "stderr", "-c", str(file)], (port, 0))


PROXIES = (
    Proxy("callback", "Answerback CALLBACK", answerback("callback")),
    Proxy("coroutine", "Answerback COROUTINE", answerback("coroutine")),
    Proxy("uvloop", "uvloop, bare proxy", uvloop),
    Proxy("haproxy", "HAProxy, mode tcp", haproxy),
    Proxy("nginx", "nginx stream", nginx),
)


@contextmanager
def relaying(proxy: Proxy, build: Path, upstreams: Upstreams, core: int) -> Iterator[Running]:
    """Run a relay until the block ends. Raises CouldNotRun."""
    much = free_port()
    contender = Contender(proxy.key, proxy.title, lambda folder: proxy.prepare(folder, upstreams, much))
    with started(contender, build, core) as server:
        yield Running(server, much)
