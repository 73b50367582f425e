"""Changes of the proxies, as edits of the configuration."""

# Rule: an edit is made to the configuration that is active when the change begins, so nothing is decided before that.

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerback.importing.addresses import Names
from answerback.language.editing import copied
from answerback.toxiproxy import bodies
from answerback.toxiproxy.errors import NO_PROXY, NO_TOXIC, PROXY_EXISTS, TOXIC_EXISTS, ApiError
from answerback.toxiproxy.listeners import apply, listener_of, listening_address, proxy_of
from answerback.toxiproxy.model import Proxy, Toxic
from answerback.v1 import config_pb2 as v1

Where = Callable[[v1.Listener], str]
"""Returns where a listener listens, HOST:PORT; empty if it does not."""


def proxies_of(config: v1.Config) -> Iterator[tuple[Proxy, v1.Listener]]:
    """The proxies of a configuration with their listeners, in its order."""
    for listener in config.listeners:
        proxy = proxy_of(listener)
        if proxy is not None:
            yield proxy, listener


def find(config: v1.Config, name: str) -> tuple[Proxy, v1.Listener]:
    """A proxy and its listener. Raises ApiError."""
    for proxy, listener in proxies_of(config):
        if proxy.name == name:
            return proxy, listener
    raise ApiError(*NO_PROXY)


def find_toxic(proxy: Proxy, name: str) -> Toxic:
    """A toxic of a proxy. Raises ApiError."""
    found = proxy.toxic(name)
    if found is None:
        raise ApiError(*NO_TOXIC)
    return found


@dataclass(slots=True)
class ProxyEdit(ABC):
    """A change of the proxies. `closed`: the listeners whose open connections it closes."""

    closed: list[str] = field(default_factory=list, init=False)

    def apply(self, config: v1.Config) -> v1.Config:
        """Raises ApiError."""
        changed = copied(config)
        self.closed = []
        self.change(changed)
        return changed

    @abstractmethod
    def change(self, config: v1.Config) -> None:
        """Change the configuration, which is a copy. Raises ApiError."""


def _add(config: v1.Config, proxy: Proxy) -> None:
    names = Names(each.name for each in config.listeners)
    config.listeners.append(listener_of(proxy, names.of(proxy.name, "proxy")))


@dataclass(slots=True)
class Creation(ProxyEdit):
    """Adds a proxy."""

    proxy: Proxy

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        if any(proxy.name == self.proxy.name for proxy, _ in proxies_of(config)):
            raise ApiError(*PROXY_EXISTS)
        _add(config, self.proxy)


def _elsewhere(listen: str, listener: v1.Listener, where: Where) -> bool:
    """Whether this is another place than where the listener listens. Raises ApiError."""
    return listen != where(listener) and listening_address(listen) not in (listener.address, where(listener))


@dataclass(slots=True)
class Update(ProxyEdit):
    """Changes a proxy: fields that are None stay as they are."""

    name: str
    listen: str | None
    upstream: str | None
    enabled: bool | None
    where: Where

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        former, listener = find(config, self.name)
        moved = self.listen is not None and _elsewhere(self.listen, listener, self.where)
        proxy = replace(
            former,
            listen=self.listen if moved and self.listen is not None else former.listen,
            upstream=former.upstream if self.upstream is None else self.upstream,
            enabled=former.enabled if self.enabled is None else self.enabled,
        )
        apply(proxy, listener, moved=moved)
        if moved or proxy.upstream != former.upstream or not proxy.enabled:
            self.closed.append(listener.name)


@dataclass(slots=True)
class Deletion(ProxyEdit):
    """Removes a proxy."""

    name: str

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        _, listener = find(config, self.name)
        self.closed.append(listener.name)
        config.listeners.remove(listener)


@dataclass(slots=True)
class Population(ProxyEdit):
    """Adds proxies. One that is there already is left as it is, or replaced if it listens or connects elsewhere."""

    proxies: Sequence[Proxy]
    where: Where

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        for wanted in self.proxies:
            found = next((each for each in proxies_of(config) if each[0].name == wanted.name), None)
            if found is None:
                _add(config, wanted)
                continue
            former, listener = found
            moved = _elsewhere(wanted.listen, listener, self.where)
            if moved or former.upstream != wanted.upstream:
                apply(wanted, listener, moved=moved)
                self.closed.append(listener.name)


@dataclass(slots=True)
class Reset(ProxyEdit):
    """Enables all proxies, and removes their toxics."""

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        for proxy, listener in proxies_of(config):
            apply(replace(proxy, enabled=True, toxics=()), listener)


@dataclass(slots=True)
class ToxicCreation(ProxyEdit):
    """Adds a toxic, behind the others of its stream."""

    proxy: str
    toxic: Toxic

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        proxy, listener = find(config, self.proxy)
        if proxy.toxic(self.toxic.name) is not None:
            raise ApiError(*TOXIC_EXISTS)
        apply(proxy.with_toxic(self.toxic), listener)


@dataclass(slots=True)
class ToxicUpdate(ProxyEdit):
    """Changes attributes or the toxicity of a toxic."""

    proxy: str
    toxic: str
    value: object

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        proxy, listener = find(config, self.proxy)
        apply(proxy.with_toxic(bodies.updated_toxic(find_toxic(proxy, self.toxic), self.value)), listener)


@dataclass(slots=True)
class ToxicDeletion(ProxyEdit):
    """Removes a toxic."""

    proxy: str
    toxic: str

    def change(self, config: v1.Config) -> None:
        """Raises ApiError."""
        proxy, listener = find(config, self.proxy)
        apply(proxy.without_toxic(find_toxic(proxy, self.toxic).name), listener)
