"""The initial configuration: from the file, the newest revision of the state, or the built-in one."""

# Rule: the file takes precedence over the state only if it differs from when it was last applied; otherwise a restart
#       would lose changes made through the API.

from answerback.language.problems import Refused
from answerback.supervisor.errors import StartError
from answerback.supervisor.revisions.store import Revision, RevisionStore, fingerprint
from answerback.supervisor.rollout.candidate import Candidate, Configurations
from answerback.supervisor.rollout.config_file import Look


async def first(
    configurations: Configurations, store: RevisionStore, look: Look | None
) -> tuple[Candidate, Revision | None]:
    """Return the configuration, and its revision unless it will become a new one.

    `look`: the content of the file, if there is one. Raises Refused, StartError and StoreFailed.
    """
    kept = await store.newest()
    said = await configurations.seen(look) if look is not None else None
    if said is not None:
        content = fingerprint(said.config, said.files)
        if kept is None or content not in (await store.applied_file(), fingerprint(kept.config, kept.files)):
            return said, None
        await store.note_file(content)
    if kept is None:
        return await configurations.built_in(), None
    try:
        return await configurations.kept(kept, kept.origin), kept
    except Refused as refused:
        raise cannot_restore(kept, refused) from None


def cannot_restore(kept: Revision, refused: Refused) -> StartError:
    """Return the error for a stored revision that cannot be served now."""
    problems = "; ".join(map(str, refused.problems))
    return StartError(
        f"revision {kept.number}, the last active revision, cannot be served: {problems}; "
        "mend that, or give another --state, or a --config that says something new"
    )
