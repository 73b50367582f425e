"""Addresses and names of listeners, as near to those of other tools as they can be."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

ALL_ADDRESSES: Final = "0.0.0.0"  # noqa: S104 — where both tools listen without a host
_HOSTS: Final = {"": ALL_ADDRESSES, "localhost": "127.0.0.1", "::": "[::]"}
_ADDRESS: Final = re.compile(r"[0-9.]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?")
_PLACE: Final = re.compile(r"(?P<host>.*):(?P<port>[0-9]{1,5})")
_LOOPBACK: Final[Mapping[str, str]] = {"": "127.0.0.1", ALL_ADDRESSES: "127.0.0.1", "[::]": "[::1]"}
_OTHERS: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 48  # of 63: a number may follow


def host_to_listen_on(text: str) -> str | None:
    """The host of a listener; None for a name, which stands for addresses that only their tool would find."""
    if text in _HOSTS:
        return _HOSTS[text]
    if not _ADDRESS.fullmatch(text):
        return None
    return f"[{text}]" if ":" in text and not text.startswith("[") else text


def address_to_listen_on(text: str) -> str | None:
    """The address that Go's `HOST:PORT` is, empty for a free port; None for a name, and for what is no such address."""
    place = _PLACE.fullmatch(text)
    if text and place is None:
        return None
    given, port = (place["host"], place["port"]) if place else ("", "0")
    host = host_to_listen_on(given)
    return None if host is None else f"{host}:{port}"


def address_to_connect_to(text: str) -> str:
    """The address of an upstream; without a host, and on all addresses, Go connects to this machine."""
    place = _PLACE.fullmatch(text)
    return f"{_LOOPBACK[place['host']]}:{place['port']}" if place and place["host"] in _LOOPBACK else text


class Names:
    """Names of listeners; all differ."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        """`taken`: names that are in use already."""
        self._taken = set(taken)

    def of(self, wanted: str, otherwise: str) -> str:
        """A name made of the wanted one; of the other one if it has no character that a name may have."""
        base = _OTHERS.sub("-", wanted).strip("._-")[:_LONGEST] or otherwise
        found, number = base, 2
        while found in self._taken:
            found, number = f"{base}-{number}", number + 1
        self._taken.add(found)
        return found
