"""Which listeners are drained: what changes of the configuration and successors of workers have to respect."""

from collections.abc import Collection, Iterable, Mapping

from answerback.v1 import config_pb2 as v1

# Rule: a drain belongs to a listener's name. One that is renamed or removed, and comes again, listens.

EVERYTHING = ""  # the name under which all are drained, those to come as well


class Drained:
    """The names of the listeners that are drained, and whether they are shut already."""

    def __init__(self) -> None:
        self._shut: dict[str, bool] = {}

    def announce(self, name: str) -> bool:
        """A drain begins, of all for an empty name; whether it was not drained before."""
        fresh = name not in self._shut and EVERYTHING not in self._shut
        self._shut.setdefault(name, False)
        return fresh

    def close(self, name: str) -> bool:
        """It is to be shut now; whether it was not before."""
        changed = not self.shut(name)
        self._shut[name] = True
        return changed

    def resume(self, name: str, names: Collection[str]) -> list[str]:
        """It is not drained any more; which of `names`, those there are, were before and are not now."""
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
        """Whether it refuses whoever connects."""
        return self._shut.get(name, False) or self._shut.get(EVERYTHING, False)

    def everything(self, names: Collection[str]) -> bool:
        """Whether there is nothing left that is not drained."""
        return EVERYTHING in self._shut or (bool(names) and all(name in self._shut for name in names))

    def keep(self, names: Iterable[str]) -> None:
        """These are the listeners from now on; what was drained under another name is forgotten."""
        known = {EVERYTHING, *names}
        self._shut = {name: shut for name, shut in self._shut.items() if name in known}

    def saved(self) -> Mapping[str, bool]:
        """What there is to restore."""
        return dict(self._shut)

    def restore(self, saved: Mapping[str, bool]) -> None:
        """All is as it was."""
        self._shut = dict(saved)

    def applied(self, config: v1.Config) -> v1.Config:
        """The configuration as it is to be served: what is shut refuses."""
        served = v1.Config()
        served.CopyFrom(config)
        for listener in served.listeners:
            if self.shut(listener.name):
                listener.accept = v1.ACCEPT_REFUSE
        return served
