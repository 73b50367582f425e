"""Changes of every kind, by file, command line or API."""

# Rule: what is chosen depends on the seed alone; when it happens does not.

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from google.protobuf.field_mask_pb2 import FieldMask

from answerback.cli.client import connected
from answerback.document.document import load
from answerback.language.problems import InvalidConfig
from answerback.v1 import config_pb2, listener_service_pb2
from answerback.v1.config_service_pb2 import RollbackConfigRequest, UpdateConfigRequest
from tests.ports import free_port
from tests.survival.world import FAULTS, LIMITS, Version, World, renewed
from tests.system.conftest import CALL_SECONDS, RunningServer

STABLE: Final = ("stable-v4", "stable-v6", "stable-unix")
"""Listeners that are never removed, so that their counters can be compared with what clients saw."""
NAMES: Final = tuple(f"changing-{number}" for number in range(6))
ACCEPTS: Final = ("NORMAL", "NORMAL", "NORMAL", "REFUSE", "STALL", "CLOSE", "RESET", "HOLD")
UNIX_ACCEPTS: Final = ("NORMAL", "NORMAL", "CLOSE", "RESET", "HOLD")
FILE_SECONDS: Final = 120.0
KEPT: Final = 20  # earlier configurations to go back to

Wanted = dict[str, Version]


class Changes:
    """Makes random changes of a server, one at a time."""

    def __init__(
        self, world: World, running: RunningServer, folder: Path, sockets: Path, seed: str, ipv6: bool
    ) -> None:
        self.world, self.running, self.folder = world, running, folder
        self.chance = random.Random(f"{seed} changes")
        self.made: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.calm = False
        """Whether listeners shall end up with nothing but normal replies."""
        hosts = ["127.0.0.1", "[::1]"] if ipv6 else ["127.0.0.1"]
        self.addresses = [f"{host}:{free_port(host.strip('[]'))}" for host in hosts for _ in range(6)]
        self.addresses += [f"unix:{sockets}/{number}" for number in range(6)]
        self._marks = 0
        self._identities = 0
        self._past: dict[int, Wanted] = {}

    # ── What is wanted ────────────────────────────────────────────────────────────────────────────────────────────
    def mark(self) -> str:
        self._marks += 1
        return f"m{self._marks}"

    def new(self, name: str, address: str) -> Version:
        self._identities += 1
        engine = self.chance.choice(("CALLBACK", "COROUTINE"))
        return Version(self._identities, name, address, self.mark(), engine)

    def first(self) -> Wanted:
        """What the server begins with."""
        by_family = {"v4": "127", "v6": "[", "unix": "unix"}
        wanted: Wanted = {}
        for name in STABLE:
            begins = by_family[name.removeprefix("stable-")]
            address = next((each for each in self.addresses if each.startswith(begins)), self.addresses[1])
            self.addresses.remove(address)
            wanted[name] = self.new(name, address)
        for name in NAMES[:3]:
            wanted[name] = self.new(name, self._free_address(wanted))
        return wanted

    def _free_address(self, wanted: Wanted) -> str:
        taken = {version.address for version in wanted.values()}
        return self.chance.choice([each for each in self.addresses if each not in taken])

    def _free_name(self, wanted: Wanted) -> str:
        return self.chance.choice([name for name in NAMES if name not in wanted])

    def wanted(self, kind: str) -> Wanted:
        """The listeners after a change of a kind."""
        wanted = dict(self.world.current)
        if kind in {"new", "remove", "move", "rename", "swap"}:
            self._place(kind, wanted)
        elif kind == "all rules":
            wanted = {name: renewed(version, self.mark()) for name, version in wanted.items()}
        else:
            version = self.chance.choice(list(wanted.values()))
            wanted[version.name] = self._changed(kind, version)
        # A file's content is its mark, also where only something else of the listener has changed.
        return {
            name: replace(version, file=self._file(version.mark)) if version.file else version
            for name, version in wanted.items()
        }

    def _changed(self, kind: str, version: Version) -> Version:
        """A listener that stays where it is."""
        mark = self.mark()
        match kind:
            case "engine":
                engine = {"CALLBACK": "COROUTINE", "COROUTINE": "CALLBACK"}[version.engine]
                return renewed(version, mark, engine=engine)
            case "accept":
                accepts = UNIX_ACCEPTS if version.address.startswith("unix:") else ACCEPTS
                return renewed(version, mark, accept=self.chance.choice(accepts))
            case "limits":
                return renewed(version, mark, limits=self.chance.choice(list(LIMITS)))
            case "faults":
                faults = self.chance.sample(list(FAULTS), self.chance.choice((0, 0, 1, 2)))
                return renewed(version, mark, faults=tuple(faults))
            case "file":
                return renewed(version, mark, file="" if version.file else self._file(mark))
        return renewed(version, mark)

    def _place(self, kind: str, wanted: Wanted) -> None:
        """Have listeners come, go and move."""
        changing = [version for version in wanted.values() if version.name not in STABLE]
        room = len(wanted) < len(STABLE) + len(NAMES)
        moving = self.chance.choice(changing) if changing else None
        if kind == "new" and room:
            name = self._free_name(wanted)
            wanted[name] = self.new(name, self._free_address(wanted))
        elif kind == "remove" and moving:
            del wanted[moving.name]
        elif kind == "move" and moving:
            address = self._free_address(wanted)
            accept = self.chance.choice((moving.accept, "NORMAL"))
            if address.startswith("unix:") and accept not in UNIX_ACCEPTS:
                accept = "NORMAL"
            wanted[moving.name] = renewed(moving, self.mark(), address=address, accept=accept)
        elif kind == "rename" and moving and room:
            name = self._free_name(wanted)  # another: a listener is known by its name
            del wanted[moving.name]
            self._identities += 1
            wanted[name] = renewed(moving, self.mark(), name=name, identity=self._identities)
        elif kind == "swap" and len(changing) > 1:
            one, other = self.chance.sample(changing, 2)
            wanted[one.name] = renewed(one, self.mark(), address=other.address, accept="NORMAL")
            wanted[other.name] = renewed(other, self.mark(), address=one.address, accept="NORMAL")

    def _file(self, mark: str) -> str:
        path = self.folder / "payloads" / mark
        path.write_text(mark)
        return str(path)

    # ── How it is asked for ───────────────────────────────────────────────────────────────────────────────────────
    KINDS: Final = {
        "rules": 6, "all rules": 3, "engine": 2, "accept": 4, "limits": 2, "faults": 4, "file": 2, "new": 3,
        "remove": 2, "move": 4, "rename": 2, "swap": 1, "refused": 2, "stale": 1, "rollback": 2,
    }  # fmt: skip

    async def one(self) -> None:
        """Make one change, and learn what became of it."""
        kind = self.chance.choices(list(self.KINDS), list(self.KINDS.values()))[0]
        if kind == "refused":
            await asyncio.to_thread(self._refused)
        elif kind == "stale":
            await asyncio.to_thread(self._stale)
        elif kind == "rollback":
            await asyncio.to_thread(self._rollback)
        else:
            wanted = self.wanted(kind)
            if wanted == self.world.current:
                return
            way = self.chance.choice((self._by_api, self._by_api, self._by_listener, self._by_file, self._by_command))
            await self._make(wanted, way)
        self.made[kind] += 1

    async def settle(self) -> None:
        """End up with nothing but normal listeners, whatever it takes."""
        for _ in range(20):
            wanted = {
                name: renewed(version, self.mark(), accept="NORMAL", faults=(), limits="", file="")
                for name, version in self.world.current.items()
            }
            if await self._make(wanted, self._by_api):
                return
        raise AssertionError("no change succeeded in 20 attempts")

    async def _make(self, wanted: Wanted, way: Callable[[Wanted], str]) -> bool:
        proposal = self.world.propose(wanted)
        failure = await asyncio.to_thread(way, wanted)
        active = await asyncio.to_thread(self._active)
        marks = {_mark(listener) for listener in active.values()}
        if marks == {version.mark for version in wanted.values()}:
            assert active == _by_name(parsed(self.world.text(wanted.values()))), "not all of the change is active"
            proposal.taken()
            number = await asyncio.to_thread(self._revision)
            self._past[number] = dict(wanted)
            for old in sorted(self._past)[:-KEPT]:
                del self._past[old]
            return True
        assert failure, f"a change was answered as made, and {marks} is what is active"
        assert marks == {version.mark for version in self.world.current.values()}, f"neither before nor after: {marks}"
        self.failed[failure[:60]] += 1
        proposal.refused()
        return False

    def active_marks(self) -> set[str]:
        """Which versions the server says are active."""
        return {_mark(listener) for listener in self._active().values()}

    def _active(self) -> dict[str, config_pb2.Listener]:
        with connected(self.running.admin, CALL_SECONDS) as client:
            return _by_name(client.get_config().config)

    def _revision(self) -> int:
        with connected(self.running.admin, CALL_SECONDS) as client:
            return int(client.get_config().revision)

    def _by_api(self, wanted: Wanted) -> str:
        try:
            with connected(self.running.admin, FILE_SECONDS) as client:
                etag = client.get_config().etag
                client.update_config(UpdateConfigRequest(config=parsed(self.world.text(wanted.values())), etag=etag))
        except click.ClickException as failure:
            return failure.message
        return ""

    def _by_listener(self, wanted: Wanted) -> str:
        """By the calls for one listener, if it is a change of one."""
        current = self.world.current
        changed = [version for name, version in wanted.items() if current.get(name) != version]
        removed = [name for name in current if name not in wanted]
        if len(changed) + len(removed) != 1:
            return self._by_api(wanted)
        try:
            with connected(self.running.admin, FILE_SECONDS) as client:
                if removed:
                    client.delete_listener(listener_service_pb2.DeleteListenerRequest(name=removed[0]))
                    return ""
                listener = parsed(self.world.text(changed)).listeners[0]
                if listener.name in current:
                    every = FieldMask(paths=["*"])  # also fields that are empty now
                    update = listener_service_pb2.UpdateListenerRequest(listener=listener, update_mask=every)
                    client.update_listener(update)
                else:
                    client.create_listener(listener_service_pb2.CreateListenerRequest(listener=listener))
        except click.ClickException as failure:
            return failure.message
        return ""

    def _by_command(self, wanted: Wanted) -> str:
        path = self.folder / "applied.yaml"
        path.write_text(self.world.text(wanted.values()))
        done = self.running.cli("apply", str(path))
        return done.stderr if done.returncode else ""

    def _by_file(self, wanted: Wanted) -> str:
        """By the file that is watched. It is written once: to write it again may undo a change that comes after it."""
        marks = {version.mark for version in wanted.values()}
        text = self.world.text(wanted.values())
        if text == self.running.config.read_text():  # such as what a listener was added to since, which is removed now
            return self._by_api(wanted)
        new = self.running.config.with_suffix(".new")
        new.write_text(text)
        new.rename(self.running.config)
        deadline = time.monotonic() + FILE_SECONDS
        while time.monotonic() < deadline:  # one that failed for no fault of its own is tried again after some seconds
            if self.active_marks() == marks:
                return ""
            time.sleep(0.1)  # noqa: TID251  # there is nothing to wait on: a file has no answer
        status = self.running.cli("status").stdout
        raise AssertionError(f"the file was not taken within {FILE_SECONDS:g} s, but {self.active_marks()}: {status}")

    def _refused(self) -> None:
        """Changes that must not succeed, and must change nothing."""
        before = self.active_marks()
        text = self.world.text()
        match self.chance.choice(("pattern", "text", "twice", "taken")):
            case "pattern":
                text = text.replace('"prefix": "ask "', '"regex": "(?=look)"', 1)
            case "text":
                text = text[:-10]
            case "twice":
                version = next(iter(self.world.current.values()))
                text = self.world.text([*self.world.current.values(), replace(version, name="another")])
            case "taken":
                version = next(iter(self.world.current.values()))
                elsewhere = replace(version, name="another", address="203.0.113.1:1")
                text = self.world.text([*self.world.current.values(), elsewhere])
        path = self.folder / "refused.yaml"
        path.write_text(text)
        done = self.running.cli("apply", str(path))
        assert done.returncode, f"taken: {text}"
        assert "Traceback" not in done.stderr, done.stderr
        assert self.active_marks() == before

    def _stale(self) -> None:
        """A change that was made for another revision."""
        before = self.active_marks()
        config = parsed(self.world.text(renewed(each, self.mark()) for each in self.world.current.values()))
        with connected(self.running.admin, CALL_SECONDS) as client:
            try:
                client.update_config(UpdateConfigRequest(config=config, etag="of another"))
            except click.ClickException:
                assert self.active_marks() == before
                return
        raise AssertionError("a change for another revision was taken")

    def _rollback(self) -> None:
        """Back to an earlier configuration: its listeners are those of today where the names are the same."""
        numbers = sorted(self._past)[:-1]
        if not numbers:
            return
        number = self.chance.choice(numbers)
        wanted: Wanted = {}
        for name, version in self._past[number].items():
            today = self.world.current.get(name)
            if today is None:
                self._identities += 1
            wanted[name] = replace(version, identity=today.identity if today else self._identities)
        proposal = self.world.propose(wanted)
        failure = ""
        try:
            with connected(self.running.admin, CALL_SECONDS) as client:
                client.rollback_config(RollbackConfigRequest(revision=number))
        except click.ClickException as refused:
            failure = refused.message
        marks = self.active_marks()
        if marks == {version.mark for version in wanted.values()}:
            proposal.taken()
            self._past[self._revision()] = wanted
            return
        assert failure, f"a rollback was answered as made, and {marks} is what is active"
        self.failed[failure[:60]] += 1
        proposal.refused()


def _by_name(config: config_pb2.Config) -> dict[str, config_pb2.Listener]:
    return {listener.name: listener for listener in config.listeners}


def parsed(text: str) -> config_pb2.Config:
    """The configuration that a text says."""
    document = load(text)
    if document.problems:
        raise InvalidConfig(document.problems)
    return document.config


def _mark(listener: config_pb2.Listener) -> str:
    """The mark in a listener's second rule."""
    return str(listener.rules[1].do[0].send.text).strip("<>\n").split()[0]
