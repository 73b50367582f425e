"""The journal's settings: what may be wrong with them, their defaults, and how they are compiled."""

from typing import Final

from answerback.core.plan import JournalBounds, JournalSettings
from answerback.language.context import Checking
from answerback.language.fields import Field, Number, Where, describe
from answerback.v1 import config_pb2 as v1

DEFAULTS: Final = JournalBounds()
MAX_ENTRIES: Final = 100_000
LEAST_BYTES: Final = 1 << 20
MAX_BYTES: Final = 1 << 30  # the address space that is set aside for it
MAX_BODY_BYTES: Final = 1 << 20

FIELDS: Final = describe(
    v1.Journal,
    Where.FILE,
    enabled=Field('{journal: {enabled: false}, listeners: [{name: a, address: "127.0.0.1:8000"}]}', default="`true`"),
    entries=Number(
        '{journal: {entries: 500}, listeners: [{name: a, address: "127.0.0.1:8000"}]}',
        default=f"`{DEFAULTS.entries}`",
        least=1,
        most=MAX_ENTRIES,
    ),
    bytes=Number(
        '{journal: {bytes: 16777216}, listeners: [{name: a, address: "127.0.0.1:8000"}]}',
        default=f"`{DEFAULTS.bytes}` (64 MiB)",
        words="an entry takes 192 of them beside its bodies",
        least=LEAST_BYTES,
        most=MAX_BYTES,
        unit="bytes",
    ),
    body_bytes=Number(
        '{journal: {body_bytes: 4096}, listeners: [{name: a, address: "127.0.0.1:8000"}]}',
        default=f"`{DEFAULTS.body_bytes}`",
        most=MAX_BODY_BYTES,
        unit="bytes",
    ),
)
OF_LISTENER: Final = describe(
    v1.ListenerJournal,
    Where.LISTENER,
    enabled=Field("journal: {enabled: false}", default="that of the configuration's `journal`"),
    body_bytes=Number(
        "journal: {body_bytes: 256}",
        default="that of the configuration's `journal`",
        most=MAX_BODY_BYTES,
        unit="bytes",
    ),
)


def check_journal(given: v1.Journal, checking: Checking) -> None:
    """Report what is wrong with the journal of a configuration."""
    FIELDS.check(given, "journal", checking)


def check_listener_journal(given: v1.ListenerJournal, path: str, checking: Checking) -> None:
    """Report what is wrong with the journal of a listener."""
    OF_LISTENER.check(given, path, checking)


def compile_bounds(given: v1.Journal) -> JournalBounds:
    """Return the bounds, defaults filled in."""
    return JournalBounds(
        given.entries if given.HasField("entries") else DEFAULTS.entries,
        given.bytes if given.HasField("bytes") else DEFAULTS.bytes,
        given.body_bytes if given.HasField("body_bytes") else DEFAULTS.body_bytes,
    )


def compile_settings(given: v1.ListenerJournal, of_all: v1.Journal) -> JournalSettings:
    """Return what is kept of a listener, where the configuration's journal is `of_all`."""
    deciding = given if given.HasField("enabled") else of_all
    enabled = deciding.enabled or not deciding.HasField("enabled")
    return JournalSettings(enabled, given.body_bytes if given.HasField("body_bytes") else None)
