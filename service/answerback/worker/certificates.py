"""The certificates of listeners and of their upstreams, as they come from the supervisor."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from answerback.core.plan import ListenerPlan, Plan
from answerback.internal.v1.link_pb2 import Certificates, Prepare
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.tls import compile_settings
from answerback.language.upstream_tls import compile_client
from answerback.language.upstreams import parse
from answerback.tls.client import ClientTls
from answerback.tls.contexts import ServerTls
from answerback.tls.material import Material
from answerback.tls.pairs import private
from answerback.tls.private_files import BadFile

# Rule: a listener whose settings and certificates are as before keeps its contexts, and so the tickets of its clients.

log = logging.getLogger(__name__)


def of_listeners(command: Prepare, former: Plan) -> dict[str, ServerTls]:
    """Return the TLS of each listener that has some; as it was if nothing of it has changed. Raises InvalidConfig."""
    found: dict[str, ServerTls] = {}
    given = {each.listener: each for each in command.certificates if not each.of_upstream}
    for listener in command.config.listeners:
        if not listener.HasField("tls"):
            continue
        name = listener.name
        before = listener_tls(former, name)
        settings, material = compile_settings(listener.tls), material_of(given[name])
        if before is not None and (before.settings, before.material) == (settings, material):
            found[name] = before
            continue
        try:
            found[name] = ServerTls(name, settings, material)
        except BadFile as error:  # the supervisor has tested it
            raise InvalidConfig([Problem("", f"{name}: {error}")]) from None
    return found


def of_upstreams(command: Prepare, former: Plan) -> dict[str, ClientTls]:
    """Return the TLS of each upstream that has some, by listener; as it was if nothing has changed."""
    found: dict[str, ClientTls] = {}
    given = {each.listener: each for each in command.certificates if each.of_upstream}
    for listener in command.config.listeners:
        if not listener.upstream.HasField("tls"):
            continue
        name = listener.name
        before = upstream_tls(former, name)
        settings = compile_client(listener.upstream.tls, parse(listener.upstream.address).host)
        material = material_of(given[name])
        if before is not None and (before.settings, before.material) == (settings, material):
            found[name] = before
            continue
        try:
            found[name] = ClientTls(name, settings, material)
        except BadFile as error:  # the supervisor has tested it
            raise InvalidConfig([Problem("", f"{name}: {error}")]) from None
    return found


def listener_tls(plan: Plan, listener: str) -> ServerTls | None:
    """The TLS of a listener; None without one."""
    tls = plan.listeners[listener].tls if listener in plan.listeners else None
    return tls if isinstance(tls, ServerTls) else None


def upstream_tls(plan: Plan, listener: str) -> ClientTls | None:
    """The TLS of the upstream of a listener; None without one."""
    upstream = plan.listeners[listener].upstream if listener in plan.listeners else None
    tls = None if upstream is None else upstream.tls
    return tls if isinstance(tls, ClientTls) else None


def to_secure_upstream(plan: ListenerPlan, tls: ClientTls) -> ListenerPlan:
    """Return the plan of a listener that speaks TLS with its upstream."""
    assert plan.upstream is not None
    return replace(plan, upstream=replace(plan.upstream, tls=tls))


def secured(plan: ListenerPlan, tls: ServerTls) -> ListenerPlan:
    """Return the plan of a listener with TLS, from the plan of what is inside."""
    on_limit = plan.on_limit
    return replace(plan, tls=tls, on_limit=None if on_limit is None else replace(on_limit, tls=tls))


def load(renewed: Iterable[Certificates], plan: Plan) -> None:
    """Use these in new handshakes. Raises BadFile."""
    for each in renewed:
        tls = upstream_tls(plan, each.listener) if each.of_upstream else listener_tls(plan, each.listener)
        if tls is not None:
            tls.load(material_of(each))


def material_of(given: Certificates) -> Material:
    """Return the content of the files; their names are of no use here."""
    pairs = [given.main, *given.sni] if given.HasField("main") else []
    return Material(
        tuple((private(Path("cert"), pair.cert), private(Path("key"), pair.key)) for pair in pairs),
        private(Path("ca"), given.client_ca) if given.client_ca else None,
    )
