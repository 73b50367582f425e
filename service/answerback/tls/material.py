"""The content of the files that the `tls` of a listener or an upstream names, at one moment."""

from dataclasses import dataclass

from answerback.tls.private_files import PrivateFile

# Rule: it is in memory alone: neither in a revision, nor in a log.


@dataclass(frozen=True, slots=True)
class Material:
    """Certificates, each with its key, and authorities."""

    pairs: tuple[tuple[PrivateFile, PrivateFile], ...]
    """The own certificate and key, then those of `sni` in order; a client may have none."""
    ca: PrivateFile | None = None
    """The authorities of the other end's certificates."""
