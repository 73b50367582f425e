"""Bearer tokens (RFC 6750) from files.

A file holds one token, with or without a newline. The server reads it at every call, so that a new token works from
the next call on; if the file is unusable (gone, empty, too short), the previous token stays valid.
"""

# Rule: a token is never logged, shown, or part of an error message; the server itself keeps only its digest.

import logging
import re
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Final

from answerback.tls import private_files
from answerback.tls.private_files import BadFile, Trouble

SHORTEST: Final = 32  # min. bytes: as from `openssl rand -hex 16`, which cannot be guessed
LONGEST: Final = 4096  # max. bytes of the file: gRPC rejects headers of more than 8 KiB in all
HOW: Final = "`openssl rand -hex 32` makes one"

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of a token, to compare tokens with."""

    value: bytes

    @classmethod
    def of(cls, token: bytes) -> "Digest":
        """Return the digest of a token."""
        return cls(sha256(token).digest())

    def fits(self, token: bytes) -> bool:
        """Whether this is the token, in constant time."""
        return compare_digest(self.value, sha256(token).digest())


def read(path: Path) -> bytes:
    """Return the token in a file. Raises BadFile."""
    return _token(private_files.read(path, LONGEST))


def _token(file: private_files.PrivateFile) -> bytes:
    token = file.content.strip()
    if not token:
        raise BadFile(file.path, f"is empty; {HOW}")
    if len(token) < SHORTEST:
        raise BadFile(file.path, f"the token has {len(token)} bytes, fewer than {SHORTEST}; {HOW}")
    if not _VISIBLE.fullmatch(token):
        raise BadFile(file.path, f"the token has blanks or bytes that are not ASCII; {HOW}")
    return token


class TokenFile:
    """The current token of a file."""

    def __init__(self, path: Path) -> None:
        """Raises BadFile."""
        self._path = path
        self._trouble = Trouble("the token before")
        self._taken = self._take(private_files.read(path, LONGEST))

    def fits(self, token: bytes) -> bool:
        """Whether this is the token. Reads the file (some 20 µs) each time, so that revoked tokens fail at once."""
        try:
            file = private_files.read(self._path, LONGEST)
            if Digest.of(_token(file)) != self._taken:
                self._taken = self._take(file)
                log.info("a new token is active", extra={"path": str(self._path)})
            self._trouble.over()
        except BadFile as error:
            self._trouble.met(error)
        return self._taken.fits(token)

    def _take(self, file: private_files.PrivateFile) -> Digest:
        digest = Digest.of(_token(file))
        if file.open_to_all:
            log.warning("the token file %s is readable by all users of this machine: chmod o-r", file.path)
        return digest
