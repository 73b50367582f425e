"""What the calls of ConfigService return."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from answerback.client.values.conversion import plain
from answerback.v1 import config_service_pb2, listener_service_pb2


@plain(config_service_pb2.GetConfigResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The active configuration."""

    config: dict[str, Any]
    """The configuration as in YAML, in the canonical form."""
    revision: int
    etag: str
    """Pass it with a change, so that the change is made only if this revision is still active."""


@plain(listener_service_pb2.DeleteListenerResponse)
@plain(listener_service_pb2.RemoveFaultResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The result of a change."""

    revision: int
    """The number of the active revision."""
    etag: str
    changed: bool
    """Whether there is a new revision: not if it was active already, nor with `validate_only`."""
    workers: int
    """The number of workers that serve it."""


@plain(config_service_pb2.UpdateConfigResponse)
@plain(config_service_pb2.RollbackConfigResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange(Change):
    """The result of a change, and the configuration."""

    config: dict[str, Any]


@plain(config_service_pb2.Revision)
@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A configuration that became active."""

    number: int
    etag: str
    time: datetime | None
    """When it became active."""
    origin: str
    """`file`, `api`, `rollback`, `expiry`, `toxiproxy-api` or `built-in`."""
    comment: str
    config: dict[str, Any] | None
    """None in lists without configurations."""
    identity: str
    """The caller, if the server knows it."""


@plain(config_service_pb2.WatchConfigResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionEvent:
    """A revision that a watch received."""

    revision: Revision
    skipped: int
    """How many revisions before it were no longer stored."""
