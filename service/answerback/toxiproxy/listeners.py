"""A proxy of Toxiproxy as a listener, and back.

The listener relays, its faults are the toxics, and a note at it keeps what the API was told: names of any characters,
and attributes as they were given.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from answerback.document.values import fill
from answerback.importing.addresses import address_to_connect_to, address_to_listen_on
from answerback.importing.toxics import DIRECTIONS, fault_of
from answerback.language.payloads import MAX_BYTES
from answerback.language.toxiproxy import note_of
from answerback.toxiproxy.bodies import Fields, attributes
from answerback.toxiproxy.errors import ApiError, bad_request, failed
from answerback.toxiproxy.model import ATTRIBUTES, Proxy, Toxic
from answerback.v1 import config_pb2 as v1

MAX_NAME: Final = 128  # characters of the name of a fault
_PORT: Final = re.compile(r".*:[0-9]{1,5}")


def proxy_of(listener: v1.Listener) -> Proxy | None:
    """The proxy that a listener is; None if the API has not made it.

    A toxic whose fault was removed is gone, and a changed upstream is shown.
    """
    note = note_of(listener)
    if note is None or not listener.HasField("upstream"):
        return None
    upstream = note.get("upstream")
    if not isinstance(upstream, str) or address_to_connect_to(upstream) != listener.upstream.address:
        upstream = listener.upstream.address
    names = {fault.name for fault in listener.faults}
    toxics = [each for each in _toxics(note) if each.type == "noop" or fault_name(each) in names]
    listen = note.get("listen")
    return Proxy(
        note["name"],
        listen if isinstance(listen, str) else listener.address,
        upstream,
        listener.accept != v1.ACCEPT_REFUSE,
        tuple(toxics),
    )


def _toxics(note: Mapping[str, Any]) -> list[Toxic]:
    """The toxics of a note that can be read."""
    found = []
    for each in note.get("toxics") or ():
        try:
            fields = Fields(each)
            kind = fields.get("type", str) or ""
            name, stream, toxicity = fields.get("name", str), fields.get("stream", str), fields.number("toxicity")
            if kind in ATTRIBUTES and name and stream and stream in DIRECTIONS and toxicity is not None:
                found.append(Toxic(name, kind, stream, toxicity, attributes(kind, fields, {})))
        except ApiError:  # a note that a person has written
            continue
    return found


def fault_name(toxic: Toxic) -> str:
    """The name of a toxic's fault: its own, if faults can have it."""
    name = toxic.name
    if len(name) <= MAX_NAME and name.isprintable():
        return name
    return f"toxic-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:16]}"


def listening_address(listen: str) -> str:
    """The address that a proxy listens on. Raises ApiError."""
    if listen and not _PORT.fullmatch(listen):
        raise failed(f"listen tcp: address {listen}: missing port in address")
    address = address_to_listen_on(listen)
    if address is None:
        raise failed(f"listen tcp: lookup {listen.rpartition(':')[0]}: no such host")
    return address


def listener_of(proxy: Proxy, name: str) -> v1.Listener:
    """The listener of a new proxy. Raises ApiError."""
    listener = v1.Listener(name=name, address=listening_address(proxy.listen))
    listener.limits.idle_timeout.SetInParent()
    apply(proxy, listener)
    return listener


def apply(proxy: Proxy, listener: v1.Listener, *, moved: bool = False) -> None:
    """Change the listener of a proxy into what the proxy is now. Raises ApiError.

    `moved`: it listens elsewhere. Faults that the API has not made stay, behind those that it has.
    """
    former = proxy_of(listener)
    made = {fault_name(toxic) for toxic in former.toxics} if former else set()
    others = [fault for fault in listener.faults if fault.name not in made]
    faults = [found for toxic in proxy.toxics if (found := _fault(toxic)) is not None]
    kept = v1.Listener(faults=[*faults, *others])
    del listener.faults[:]
    listener.faults.extend(kept.faults)
    if moved:
        listener.address = listening_address(proxy.listen)
    listener.upstream.address = address_to_connect_to(proxy.upstream)
    if not proxy.enabled:
        listener.accept = v1.ACCEPT_REFUSE
    elif listener.accept == v1.ACCEPT_REFUSE:
        listener.ClearField("accept")
    written = proxy.written()
    del written["enabled"]  # that is `accept`
    listener.toxiproxy = json.dumps(written)


def _fault(toxic: Toxic) -> v1.Fault | None:
    """The fault of a toxic, for each connection; None for one that does nothing. Raises ApiError."""
    if toxic.type == "noop":
        return None
    numbers = dict(toxic.attributes)
    if toxic.type == "slicer":
        size = numbers["average_size"] = min(max(1, numbers["average_size"]), MAX_BYTES)
        numbers["size_variation"] = min(numbers["size_variation"], size - 1)
    value = {
        "name": fault_name(toxic),
        "direction": DIRECTIONS[toxic.stream],
        "target": "CONNECTION",
        **fault_of(toxic.type, lambda name: numbers.get(name, 0)),
    }
    if toxic.toxicity < 1:
        value["probability"] = max(0.0, toxic.toxicity)
    fault = v1.Fault()
    for problem in fill(fault, value):
        raise bad_request(problem.message)
    return fault
