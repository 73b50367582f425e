"""Bearer tokens (RFC 6750) from files.

A file holds one token, with or without a line's end behind it. The server reads it at every call, so that a new token
serves the next one; a token that cannot be taken (gone, empty, too short) leaves the one before in force.
"""

# Rule: a token is never logged, shown, or part of an error's text; the server itself keeps no more than its digest.

import logging
import re
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Final

from answerback.control import private_files
from answerback.control.private_files import BadFile, Trouble

SHORTEST: Final = 32  # bytes: what `openssl rand -hex 16` gives, and nobody guesses
LONGEST: Final = 4096  # bytes of the file: gRPC refuses headers of more than 8 KiB in all
HOW: Final = "`openssl rand -hex 32` makes one"

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]+")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Digest:
    """What is kept of a token: enough to know it again."""

    value: bytes

    @classmethod
    def of(cls, token: bytes) -> "Digest":
        """Of a token."""
        return cls(sha256(token).digest())

    def fits(self, token: bytes) -> bool:
        """Whether this is the token; takes as long for any other, of whatever length."""
        return compare_digest(self.value, sha256(token).digest())


def read(path: Path) -> bytes:
    """The token of a file. Raises BadFile."""
    return _token(private_files.read(path, LONGEST))


def _token(file: private_files.PrivateFile) -> bytes:
    token = file.content.strip()
    if not token:
        raise BadFile(file.path, f"is empty; {HOW}")
    if len(token) < SHORTEST:
        raise BadFile(file.path, f"the token has {len(token)} bytes, fewer than {SHORTEST}; {HOW}")
    if not _VISIBLE.fullmatch(token):
        raise BadFile(file.path, f"the token has bytes that no header carries: blanks, or none of ASCII; {HOW}")
    return token


class TokenFile:
    """The token of a file, as the file says it now."""

    def __init__(self, path: Path) -> None:
        """Raises BadFile."""
        self._path = path
        self._trouble = Trouble("the token before")
        self._taken = self._take(private_files.read(path, LONGEST))

    def fits(self, token: bytes) -> bool:
        """Whether this is the token. Reads the file, some 20 µs: a look now and then would let in who was let go."""
        try:
            file = private_files.read(self._path, LONGEST)
            if Digest.of(_token(file)) != self._taken:
                self._taken = self._take(file)
                log.info("a new token is in force", extra={"path": str(self._path)})
            self._trouble.over()
        except BadFile as error:
            self._trouble.met(error)
        return self._taken.fits(token)

    def _take(self, file: private_files.PrivateFile) -> Digest:
        digest = Digest.of(_token(file))
        if file.open_to_all:
            log.warning("everybody on this machine can read %s, which holds a token: chmod o-r", file.path)
        return digest
