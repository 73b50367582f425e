"""Proxies of Toxiproxy to listeners with an upstream: its `-config` files, and what its API takes and answers."""

import re
from collections.abc import Mapping
from typing import Any, Final

from answerback.importing.addresses import ALL_ADDRESSES, Names, address_to_connect_to, address_to_listen_on
from answerback.importing.outcome import Listener, Notes, Outcome, Part, complete
from answerback.importing.source import Unfit, Unreadable, Value, read
from answerback.importing.toxics import fault

# Rule: names of fields are read whatever their case, as Go reads JSON.

_KNOWN: Final = frozenset(("name", "listen", "upstream", "enabled", "toxics", "logger"))
_PORT: Final = re.compile(r".*:([0-9]{1,5})")


def import_toxiproxy(data: bytes) -> Outcome:
    """The configuration made of a file of proxies. Raises Unreadable."""
    root = read(data)
    try:
        proxies = _proxies(root)
    except Unfit as unfit:
        raise Unreadable(unfit.problem) from None
    notes, names = Notes(), Names()
    listeners = [found for name, each in proxies if (found := _listener(name, each, names, notes))]
    if not listeners:
        why = "".join(f": {note}" for note in notes.found()[:1])
        raise Unreadable(root.problem(f"no proxy that can be imported{why}"))
    return complete(listeners, notes)


def _proxies(root: Value) -> list[tuple[str, Value]]:
    """The proxies of a file, each with the name that it has by its place: an array, one alone, or an object of them."""
    if root.is_list:
        return [("", each) for each in root.items()]
    fields = root.fields()
    if "upstream" in _lower(fields):
        return [("", root)]
    if set(fields) == {"proxies"}:  # the answer of /populate
        return _proxies(fields["proxies"])
    if not fields or not all(each.is_mapping for each in fields.values()):
        raise root.unfit("proxies are expected: an array, one proxy (with `upstream`), or an object of proxies by name")
    return list(fields.items())


def _lower(fields: Mapping[str, Value]) -> dict[str, Value]:
    return {name.lower(): value for name, value in fields.items()}


def _listener(name: str, proxy: Value, names: Names, notes: Notes) -> Listener | None:
    """The listener of a proxy; None, with a note, if it has no equivalent."""
    try:
        return _relay(name, proxy, names, notes)
    except Unfit as unfit:
        notes.add(unfit.consequence("the proxy is left out"))
        return None


def _relay(name: str, proxy: Value, names: Names, notes: Notes) -> Listener:
    fields = _lower(proxy.fields())
    if "upstream" not in fields:
        raise proxy.unfit("`upstream` is missing")
    made: dict[str, Any] = {
        "address": _listen(fields["listen"], notes) if "listen" in fields else f"{ALL_ADDRESSES}:0",
        "upstream": {"address": address_to_connect_to(fields["upstream"].text())},
        "limits": {"idle_timeout": "0s"},
    }
    if "enabled" in fields and not fields["enabled"].boolean():
        made["accept"] = "REFUSE"
    for field, value in fields.items():
        if field not in _KNOWN:
            notes.add(value.problem(f"Toxiproxy has no field {field!r} of a proxy: it is ignored"))
    made["name"] = names.of(fields["name"].text() if "name" in fields else name, "proxy")
    toxics = fields["toxics"].items() if "toxics" in fields else []
    return Listener(made, proxy, faults=[found for each in toxics if (found := _fault(each, notes))])


def _fault(toxic: Value, notes: Notes) -> Part | None:
    """The fault that a toxic is; None, with a note, if it has no equivalent."""
    try:
        return fault(toxic, notes)
    except Unfit as unfit:
        notes.add(unfit.problem)
        return None


def _listen(listen: Value, notes: Notes) -> str:
    text = listen.text()
    address = address_to_listen_on(text)
    if address is not None:
        return address
    port = _PORT.fullmatch(text)
    if port is None:
        raise listen.unfit(f"an address is HOST:PORT, not {text!r}")
    notes.add(listen.problem(f"an address is needed, not a name: listens on all addresses, {ALL_ADDRESSES}"))
    return f"{ALL_ADDRESSES}:{port[1]}"
