"""Reads the files of certificates again every second, and lets the workers use what has changed."""

# Rule: all files of a `tls` are read in one go, and tested together: a certificate without its key never serves.
# Rule: files are read in a thread: a disk may be slow.

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.language.pem import AnyTls
from answerback.language.tls_files import (
    FilesUnfit,
    Key,
    Materials,
    check_material,
    key_of,
    read_material,
    tls_of,
    unfit,
)
from answerback.supervisor.errors import Stopping
from answerback.supervisor.rollout.rollout import Rollout
from answerback.tls.material import Material
from answerback.v1 import config_pb2 as v1

POLL_SECONDS: Final = 1.0
BAD_READS: Final = 2  # of the same bad content, until it is reported: a renewal replaces one file after another

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A `tls` of the active configuration, and the listeners that have it."""

    tls: AnyTls
    material: Material
    listeners: Sequence[str]


class CertificateWatcher:
    """Watches the files of the active configuration, once it has begun."""

    def __init__(self, rollout: Rollout, serial: SerialRunner) -> None:
        self._rollout = rollout
        self._serial = serial
        self._tasks = Tasks()
        self._running: asyncio.Task[None] | None = None
        self._bad: dict[Key, tuple[str, int]] = {}
        """Why the files cannot be used, and how often that was found in a row."""
        self._described: dict[Key, Material] = {}
        """What the log has been told of."""
        self.loaded = 0
        """How often certificates were loaded that had changed."""
        self.rejected = 0
        """How often changed files could not be used."""

    def begin(self) -> None:
        """From now on, follow the files."""
        self._running = self._tasks.start(self._run(), failure="stopped watching the files of certificates")

    def stop(self) -> None:
        """End; what has begun is finished."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while True:
            served = self._served()
            await self._describe(served)
            await asyncio.sleep(POLL_SECONDS)
            served = self._served()
            try:
                await self._renew(await asyncio.to_thread(self._changed, served), served)
            except Stopping:
                return

    def _served(self) -> dict[Key, Served]:
        """Return what the active configuration has."""
        current, materials = self._rollout.current, self._rollout.materials
        found: dict[Key, tuple[AnyTls, list[str]]] = {}
        for listener in current.config.listeners if current is not None and materials else ():
            for _, tls in tls_of(listener):
                found.setdefault(key_of(tls), (tls, []))[1].append(listener.name)
        return {key: Served(tls, materials[key], names) for key, (tls, names) in found.items() if key in materials}

    def _changed(self, served: Mapping[Key, Served]) -> dict[Key, Material]:
        """Read the files; return what has changed and can be used."""
        found: dict[Key, Material] = {}
        for key, each in served.items():
            try:
                material = read_material(each.tls, "tls")
                if material != each.material:
                    check_material(each.tls, material, "tls")
                    found[key] = material
            except FilesUnfit as error:
                self._found_bad(key, each, str(error))
            else:
                self._bad.pop(key, None)
        self._bad = {key: bad for key, bad in self._bad.items() if key in served}
        return found

    def _found_bad(self, key: Key, served: Served, why: str) -> None:
        """The files cannot be used now: say so once."""
        known, times = self._bad.get(key, ("", 0))
        times = times + 1 if known == why else 1
        self._bad[key] = why, times
        if times == BAD_READS:
            self.rejected += 1
            log.error(
                "the certificates before are still used: %s", why, extra={"listeners": ", ".join(served.listeners)}
            )

    async def _renew(self, changed: Materials, served: Mapping[Key, Served]) -> None:
        """Let the workers use what has changed. Raises Stopping."""
        if not changed:
            return
        loaded = await self._serial.run(self._load(changed))
        self.loaded += len(loaded)
        for key in changed:
            log.info("certificates were loaded again", extra={"listeners": ", ".join(served[key].listeners)})

    async def _load(self, changed: Materials) -> list[str]:
        return self._rollout.load_certificates(changed)

    async def _describe(self, served: Mapping[Key, Served]) -> None:
        """Warn of certificates that clients reject, and of keys that all users may read, once each."""
        new = {key: each for key, each in served.items() if self._described.get(key) != each.material}
        self._described = {key: each.material for key, each in served.items()}
        for each in new.values():
            extra = {"listeners": ", ".join(each.listeners)}
            for warning in await asyncio.to_thread(warnings, each):
                log.warning("%s", warning, extra=extra)


def warnings(served: Served) -> list[str]:
    """Return what is to be said of certificates that can be served."""
    found = [
        f"the private key {key.path} is readable by all users of this machine: chmod o-r"
        for _, key in served.material.pairs
        if key.open_to_all
    ]
    if isinstance(served.tls, v1.UpstreamTls):
        return found
    return [*found, *(f"the certificate of {field}: {why}" for field, why in unfit(served.tls, served.material, "tls"))]
