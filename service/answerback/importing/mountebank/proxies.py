"""Imposters that are only a proxy, which become relays."""

import re
from collections.abc import Sequence
from typing import Final

from answerback.importing.outcome import Notes
from answerback.importing.source import Value

# Rule: a proxy beside other responses or behind predicates has no equivalent: a listener relays all bytes or none.

_TO: Final = re.compile(r"tcp://(?P<place>[^/]+:[0-9]{1,5})/?")
_TRANSPARENT: Final = "proxyTransparent"


def only_proxy(stubs: Sequence[Value]) -> Value | None:
    """The proxy that an imposter is, if it is nothing else. Raises Unfit."""
    if len(stubs) != 1 or not stubs[0].is_mapping:
        return None
    fields = stubs[0].fields()
    if "responses" not in fields or ("predicates" in fields and fields["predicates"].items()):
        return None
    responses = fields["responses"].items()
    if len(responses) != 1 or not responses[0].is_mapping or set(responses[0].fields()) != {"proxy"}:
        return None
    return responses[0].fields()["proxy"]


def upstream(proxy: Value, notes: Notes) -> str:
    """The address that a proxy connects to; what else it does is noted. Raises Unfit."""
    fields = proxy.fields()
    if "to" not in fields:
        raise proxy.unfit("`to` is missing")
    mode = fields["mode"].text() if "mode" in fields else "proxyOnce"
    if mode != _TRANSPARENT:
        notes.add(
            fields.get("mode", proxy).problem(
                f"all bytes are relayed, as with {_TRANSPARENT}; to repeat replies, record them: `answerback record`"
            )
        )
    for name, value in fields.items():
        if name not in {"to", "mode", "keepalive"}:
            notes.add(value.problem("no equivalent: all bytes are relayed as they come"))
    return _address(fields["to"])


def _address(to: Value) -> str:
    if to.is_mapping:  # as old versions have it
        fields = to.fields()
        if "host" in fields and "port" in fields:
            return f"{fields['host'].text()}:{fields['port'].integer()}"
        raise to.unfit("`host` and `port` are expected")
    found = _TO.fullmatch(to.text())
    if found is None:
        raise to.unfit(f"mountebank connects to tcp://HOST:PORT, not {to.text()!r}")
    return found["place"]
