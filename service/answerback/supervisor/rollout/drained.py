"""Which listeners are drained; respected by configuration changes and new workers."""

from collections.abc import Collection, Iterable, Mapping

from answerback.v1 import config_pb2 as v1

# Rule: a drain belongs to a listener's name. A listener that is renamed, or removed and added again, listens.

EVERYTHING = ""  # the name that stands for all listeners, including future ones


class DrainedListeners:
    """The names of drained listeners, and whether they are shut already."""

    def __init__(self) -> None:
        self._shut: dict[str, bool] = {}

    def announce(self, name: str) -> bool:
        """Begin a drain (empty name: of all listeners); return whether it was not drained before."""
        fresh = name not in self._shut and EVERYTHING not in self._shut
        self._shut.setdefault(name, False)
        return fresh

    def close(self, name: str) -> bool:
        """Mark it as shut; return whether it was not before."""
        changed = not self.shut(name)
        self._shut[name] = True
        return changed

    def resume(self, name: str, names: Collection[str]) -> list[str]:
        """End a drain; return which of the existing `names` were drained before and are not now."""
        before = [each for each in names if self.announced(each)]
        if name == EVERYTHING:
            self._shut.clear()
        elif EVERYTHING in self._shut:
            shut = self._shut.pop(EVERYTHING)
            self._shut |= {each: self._shut.get(each, False) or shut for each in names if each != name}
        self._shut.pop(name, None)
        return [each for each in before if not self.announced(each)]

    def announced(self, name: str) -> bool:
        """Whether a listener is drained, or about to be."""
        return name in self._shut or EVERYTHING in self._shut

    def shut(self, name: str) -> bool:
        """Whether the listener refuses new connections."""
        return self._shut.get(name, False) or self._shut.get(EVERYTHING, False)

    def everything(self, names: Collection[str]) -> bool:
        """Whether every listener is drained."""
        return EVERYTHING in self._shut or (bool(names) and all(name in self._shut for name in names))

    def keep(self, names: Iterable[str]) -> None:
        """Set the existing listeners; drains of other names are forgotten."""
        known = {EVERYTHING, *names}
        self._shut = {name: shut for name, shut in self._shut.items() if name in known}

    def saved(self) -> Mapping[str, bool]:
        """Return the state for `restore`."""
        return dict(self._shut)

    def restore(self, saved: Mapping[str, bool]) -> None:
        """Restore a saved state."""
        self._shut = dict(saved)

    def applied(self, config: v1.Config) -> v1.Config:
        """Return the configuration to serve: shut listeners refuse connections."""
        served = v1.Config()
        served.CopyFrom(config)
        for listener in served.listeners:
            if self.shut(listener.name):
                listener.accept = v1.ACCEPT_REFUSE
        return served
