"""Private keys in a configuration: what is shown in their place, and how that becomes the key again."""

import hashlib
from collections.abc import Iterator
from typing import Final

from answerback.language.pem import AnyTls
from answerback.v1 import config_pb2 as v1

# Rule: what leaves the supervisor has no key: neither an answer of the API, nor the configuration that workers get.

MARK: Final = "redacted:"
DIGITS: Final = 32  # of the key's SHA-256: they tell keys apart, and say nothing of one
UNKNOWN: Final = "it is redacted, and the active configuration has no such key: give the key itself"


def holders_of(listener: v1.Listener) -> Iterator[AnyTls | v1.Tls.Sni]:
    """Yield each message of a listener that may have a key."""
    if listener.HasField("tls"):
        yield listener.tls
        yield from listener.tls.sni
    if listener.upstream.HasField("tls"):
        yield listener.upstream.tls


def redacted(config: v1.Config) -> v1.Config:
    """Return the configuration without its keys; the given one stays as it is."""
    if not any(map(_has_key, config.listeners)):
        return config
    made = v1.Config()
    made.CopyFrom(config)
    for listener in made.listeners:
        _redact(listener)
    return made


def redacted_listener(listener: v1.Listener) -> v1.Listener:
    """Return the listener without its keys; the given one stays as it is."""
    if not _has_key(listener):
        return listener
    made = v1.Listener()
    made.CopyFrom(listener)
    _redact(made)
    return made


def _has_key(listener: v1.Listener) -> bool:
    return any(each.key_pem for each in holders_of(listener))


def _redact(listener: v1.Listener) -> None:
    for each in holders_of(listener):
        if each.key_pem:
            each.key_pem = substitute(each.key_pem)


def substitute(key: str) -> str:
    """Return what is shown in place of a key; equal for equal keys, and for what is shown already."""
    return key if is_redacted(key) else MARK + hashlib.sha256(key.encode()).hexdigest()[:DIGITS]


def is_redacted(key: str) -> bool:
    """Whether that is shown in place of a key."""
    return key.startswith(MARK)


def restore(config: v1.Config, active: v1.Config) -> None:
    """Put the keys of the active configuration where the given one has what is shown in their place."""
    shown = [each for listener in config.listeners for each in holders_of(listener) if is_redacted(each.key_pem)]
    if not shown:
        return
    keys = (each.key_pem for listener in active.listeners for each in holders_of(listener) if each.key_pem)
    known = {substitute(key): key for key in keys}
    for each in shown:
        each.key_pem = known.get(each.key_pem, each.key_pem)
