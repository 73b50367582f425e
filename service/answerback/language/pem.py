"""Where certificates and keys come from: each from a file, or from the configuration itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from answerback.language.context import Checking
from answerback.language.problems import step_into
from answerback.v1 import config_pb2 as v1

# Rule: nothing here reads a file: see `tls_files`.

AnyTls = v1.Tls | v1.UpstreamTls
SUFFIX: Final = "_pem"
BEGINNING: Final = "-----BEGIN "  # of PEM (RFC 7468, 3)


@dataclass(frozen=True, slots=True)
class Source:
    """One certificate, key, or list of authorities."""

    place: str
    """The path of the field that gives it, within its `tls`."""
    file: str
    """The file's name; empty without one."""
    pem: str = field(repr=False)
    """The content itself; empty without it."""

    @property
    def given(self) -> bool:
        """Whether there is one."""
        return bool(self.file or self.pem)

    @property
    def misplaced(self) -> bool:
        """Whether the content stands where a file's name belongs: messages must not repeat it."""
        return BEGINNING in self.file

    @property
    def name(self) -> str:
        """What it is known by among those of a `tls`: the file's name, or else the field."""
        return self.file or self.place


def _source(message: AnyTls | v1.Tls.Sni, within: str, name: str) -> Source:
    pem = getattr(message, name + SUFFIX)
    return Source(step_into(within, name + SUFFIX if pem else name), "" if pem else getattr(message, name), pem)


def pairs_of(tls: AnyTls) -> list[tuple[Source, Source]]:
    """Each certificate with its key: the own one, if there is one, then those of `sni` in order."""
    own = _source(tls, "", "cert"), _source(tls, "", "key")
    if isinstance(tls, v1.UpstreamTls):
        return [own] if own[0].given or own[1].given else []
    further = ((each, f"sni[{index}]") for index, each in enumerate(tls.sni))
    return [own, *((_source(each, at, "cert"), _source(each, at, "key")) for each, at in further)]


def authorities_of(tls: AnyTls) -> Source:
    """Those that the other end's certificate is verified with."""
    return _source(tls, "", "client_ca" if isinstance(tls, v1.Tls) else "ca")


def sources_of(tls: AnyTls) -> Iterator[Source]:
    """Everything that is given."""
    pairs = pairs_of(tls)
    for source in (*(pairs[0] if pairs else ()), authorities_of(tls), *(each for pair in pairs[1:] for each in pair)):
        if source.given:
            yield source


def check_one(message: AnyTls | v1.Tls.Sni, name: str, path: str, checking: Checking, *, required: str = "") -> None:
    """Report what is given twice, or missing although it is required; `required` says why."""
    file, pem = getattr(message, name), getattr(message, name + SUFFIX)
    if BEGINNING in file:
        checking.add(step_into(path, name), f"that is PEM, and no file name: use `{name}{SUFFIX}`")
    elif file and pem:
        checking.add(step_into(path, name + SUFFIX), f"`{name}` is given too: give one of the two")
    elif required and not file and not pem:
        checking.add(step_into(path, name), required)
