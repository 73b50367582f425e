"""Where the configuration of a change comes from."""

from dataclasses import dataclass, replace
from typing import Protocol

from answerback.language.fault_editing import without_expired
from answerback.supervisor.revisions.history import History
from answerback.supervisor.revisions.store import API, EXPIRY, FILE, ROLLBACK, Revision
from answerback.supervisor.rollout.candidate import Candidate, CandidateLoader
from answerback.supervisor.rollout.config_file import ConfigSnapshot
from answerback.v1 import config_pb2 as v1

# Rule: a source is read when its change begins, so that an edit is made to the configuration that is active then.


class ConfigSource(Protocol):
    """A configuration that is requested."""

    @property
    def origin(self) -> str:
        """The origin of the revision that it may become."""

    async def load(self, loader: CandidateLoader, active: Revision) -> Candidate:
        """Return the candidate. Raises InvalidConfig, and the errors of the source."""


class Edit(Protocol):
    """A change of a configuration."""

    def apply(self, config: v1.Config) -> v1.Config:
        """Return the changed configuration; the given one stays as it is."""


@dataclass(frozen=True, slots=True)
class GivenConfig:
    """A whole configuration from the API."""

    config: v1.Config
    origin: str = API

    async def load(self, loader: CandidateLoader, active: Revision) -> Candidate:
        """Check it. Raises InvalidConfig."""
        return await loader.from_api(self.config, active, self.origin)


@dataclass(frozen=True, slots=True)
class EditedConfig:
    """An edit of the active configuration."""

    edit: Edit
    origin: str = API

    async def load(self, loader: CandidateLoader, active: Revision) -> Candidate:
        """Edit and check it. Raises InvalidConfig, and what the edit raises."""
        return await loader.from_api(self.edit.apply(active.config), active, self.origin)


@dataclass(frozen=True, slots=True)
class WithoutExpired:
    """The active configuration without the faults that have expired, with the same contents of its files."""

    now: int
    """In nanoseconds since 1970."""
    origin: str = EXPIRY

    async def load(self, loader: CandidateLoader, active: Revision) -> Candidate:
        """Remove them. Raises InvalidConfig."""
        left = replace(active, config=without_expired(active.config, self.now))
        return await loader.from_revision(left, self.origin)


@dataclass(frozen=True, slots=True)
class EarlierRevision:
    """The content of an earlier revision."""

    history: History
    number: int
    origin: str = ROLLBACK

    async def load(self, loader: CandidateLoader, active: Revision) -> Candidate:  # noqa: ARG002 - a ConfigSource
        """Find and check it. Raises InvalidConfig, NotKept, StoreFailed."""
        return await loader.from_revision(await self.history.get(self.number), self.origin)


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of the configuration file."""

    snapshot: ConfigSnapshot
    origin: str = FILE

    async def load(self, loader: CandidateLoader, active: Revision) -> Candidate:
        """Check it. Raises InvalidConfig, with lines and columns."""
        return await loader.from_file(self.snapshot, active)
