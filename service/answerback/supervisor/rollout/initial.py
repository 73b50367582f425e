"""The initial configuration: from the file, the newest revision of the state, or the built-in one."""

# Rule: the file takes precedence over the state only if it differs from when it was last applied; otherwise a restart
#       would lose changes made through the API.

from answerback.language.problems import InvalidConfig
from answerback.supervisor.errors import StartError
from answerback.supervisor.revisions.store import Revision, RevisionStore, fingerprint
from answerback.supervisor.rollout.candidate import Candidate, CandidateLoader
from answerback.supervisor.rollout.config_file import ConfigSnapshot


async def choose(
    loader: CandidateLoader, store: RevisionStore, file: ConfigSnapshot | None
) -> tuple[Candidate, Revision | None]:
    """Return the configuration, and its revision unless it will become a new one.

    `file`: the content of the file, if there is one. Raises InvalidConfig, StartError and StoreFailed.
    """
    stored = await store.newest()
    candidate = await loader.from_file(file, stored) if file is not None else None
    if candidate is not None:
        content = fingerprint(candidate.config, candidate.files)
        if stored is None or content not in (await store.applied_file(), fingerprint(stored.config, stored.files)):
            return candidate, None
        await store.note_file(content)
    if stored is None:
        return await loader.built_in(), None
    try:
        return await loader.from_revision(stored, stored.origin), stored
    except InvalidConfig as error:
        raise cannot_restore(stored, error) from None


def cannot_restore(stored: Revision, error: InvalidConfig) -> StartError:
    """Return the error for a stored revision that cannot be served now."""
    problems = "; ".join(map(str, error.problems))
    return StartError(
        f"revision {stored.number}, the last active revision, cannot be served: {problems}; "
        "fix that, or use another --state, or a --config with another content"
    )
