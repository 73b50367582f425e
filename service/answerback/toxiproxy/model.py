"""Proxies and toxics, as Toxiproxy's API writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

ATTRIBUTES: Final[Mapping[str, Sequence[str]]] = {
    "latency": ("latency", "jitter"),
    "bandwidth": ("rate",),
    "slow_close": ("delay",),
    "timeout": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"),
    "limit_data": ("bytes",),
    "reset_peer": ("timeout",),
    "noop": (),
}
"""The types of toxics, and their attributes. One that is not given is 0."""

UPSTREAM: Final = "upstream"
DOWNSTREAM: Final = "downstream"


@dataclass(frozen=True, slots=True)
class Toxic:
    """A toxic of a proxy."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, int]

    def written(self) -> dict[str, Any]:
        """The toxic as JSON."""
        toxicity = int(self.toxicity) if self.toxicity == int(self.toxicity) else self.toxicity
        return {
            "attributes": {name: self.attributes.get(name, 0) for name in ATTRIBUTES[self.type]},
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": toxicity,
        }


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and its toxics, in the order in which they were added."""

    name: str
    listen: str
    upstream: str
    enabled: bool = True
    toxics: tuple[Toxic, ...] = ()

    def written(self, listen: str = "") -> dict[str, Any]:
        """The proxy as JSON; `listen`: where it listens, if it does."""
        return {
            "name": self.name,
            "listen": listen or self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [toxic.written() for toxic in self.in_order()],
        }

    def in_order(self) -> list[Toxic]:
        """The toxics as they are listed: those of the stream to the upstream first."""
        return sorted(self.toxics, key=lambda toxic: toxic.stream != UPSTREAM)

    def toxic(self, name: str) -> Toxic | None:
        """The toxic with a name; None if there is none."""
        return next((toxic for toxic in self.toxics if toxic.name == name), None)

    def with_toxic(self, changed: Toxic) -> "Proxy":
        """The proxy with a toxic in place of the one with its name, or behind all others."""
        if self.toxic(changed.name) is None:
            return replace(self, toxics=(*self.toxics, changed))
        return replace(self, toxics=tuple(changed if each.name == changed.name else each for each in self.toxics))

    def without_toxic(self, name: str) -> "Proxy":
        """The proxy without the toxic with a name."""
        return replace(self, toxics=tuple(each for each in self.toxics if each.name != name))
