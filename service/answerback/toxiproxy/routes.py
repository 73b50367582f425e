"""The routes of Toxiproxy's API: a method and a path, and what they do."""

# Rule: an answer is given when every worker has committed, and what the change closes is closed.

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from answerback.language.problems import InvalidConfig
from answerback.shared.counters import CountersExhausted
from answerback.supervisor import Change, ChangeFailed, Stopping, Supervisor
from answerback.supervisor.operations.connections import ConnectionQuery
from answerback.supervisor.revisions.store import TOXIPROXY
from answerback.toxiproxy import bodies, edits
from answerback.toxiproxy.errors import ApiError, bad_request, failed
from answerback.toxiproxy.model import Proxy
from answerback.v1 import config_pb2 as v1

VERSION: Final = "2.12.0"  # of the API: clients compare it

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: str = ""
    content_type: str = JSON


NO_CONTENT: Final = Answer(HTTPStatus.NO_CONTENT)
NOT_FOUND: Final = Answer(HTTPStatus.NOT_FOUND, "404 page not found\n", TEXT)
NOT_ALLOWED: Final = Answer(HTTPStatus.METHOD_NOT_ALLOWED, "", TEXT)

Route = Callable[["Routes", Sequence[str], bytes], Awaitable[Answer]]
"""Gets the names in the path, and the body."""


def written(value: object, status: int = HTTPStatus.OK) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(value))


def refusal(error: ApiError) -> Answer:
    """The answer that an error is."""
    return Answer(error.status, json.dumps({"error": error.message, "status": error.status}) + "\n", TEXT)


class Routes:
    """The API over a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to a request; `path` as it was sent, without its query."""
        parts = [unquote(part) for part in path.split("/")[1:]]
        shape = tuple(part if index % 2 == 0 else "" for index, part in enumerate(parts))
        found = ROUTES.get(shape)
        names = parts[1::2]
        if found is None or not all(names):
            return NOT_FOUND
        if method not in found:
            return NOT_ALLOWED
        try:
            return await found[method](self, names, body)
        except ApiError as error:
            return refusal(error)

    # ── What is there ─────────────────────────────────────────────────────────────────────────────────────────────

    async def version(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """The version of Toxiproxy whose API this is."""
        return Answer(HTTPStatus.OK, f'{{"version": "{VERSION}"}}\n', f"{JSON}; charset=utf-8")

    async def proxies(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """All proxies, by name."""
        config = self._supervisor.current.config
        return written({proxy.name: self._shown(proxy, of) for proxy, of in edits.proxies_of(config)})

    async def proxy(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """One proxy."""
        return written(self._shown(*edits.find(self._supervisor.current.config, names[0])))

    async def toxics(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """The toxics of a proxy."""
        proxy, _ = edits.find(self._supervisor.current.config, names[0])
        return written([toxic.written() for toxic in proxy.in_order()])

    async def toxic(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """One toxic of a proxy."""
        return self._toxic(self._supervisor.current.config, *names)

    # ── Changes ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def create(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """Add a proxy."""
        proxy = bodies.new_proxy(bodies.decode(body))
        change = await self._change(edits.Creation(proxy), f"proxy {proxy.name} added")
        return written(self._shown(*edits.find(change.revision.config, proxy.name)), HTTPStatus.CREATED)

    async def update(self, names: Sequence[str], body: bytes) -> Answer:
        """Change a proxy."""
        (name,) = names
        edits.find(self._supervisor.current.config, name)
        fields = bodies.Fields(bodies.decode(body))
        listen, upstream = fields.get("listen", str), fields.get("upstream", str)
        edit = edits.Update(name, listen, upstream, fields.get("enabled", bool), self._supervisor.address)
        change = await self._change(edit, f"proxy {name} changed")
        return written(self._shown(*edits.find(change.revision.config, name)))

    async def delete(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """Remove a proxy."""
        await self._change(edits.Deletion(names[0]), f"proxy {names[0]} removed")
        return NO_CONTENT

    async def populate(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """Add several proxies."""
        proxies = bodies.population(bodies.decode(body))
        edit = edits.Population(proxies, self._supervisor.address)
        change = await self._change(edit, f"populated: {bodies.names_of(proxies)}")
        made = [self._shown(*edits.find(change.revision.config, proxy.name)) for proxy in proxies]
        return written({"proxies": made}, HTTPStatus.CREATED)

    async def reset(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """Enable all proxies, and remove their toxics."""
        await self._change(edits.Reset(), "reset")
        return NO_CONTENT

    async def add_toxic(self, names: Sequence[str], body: bytes) -> Answer:
        """Add a toxic."""
        (name,) = names
        edits.find(self._supervisor.current.config, name)
        toxic = bodies.new_toxic(bodies.decode(body))
        change = await self._change(edits.ToxicCreation(name, toxic), f"toxic {toxic.name} of {name} added")
        return self._toxic(change.revision.config, name, toxic.name)

    async def update_toxic(self, names: Sequence[str], body: bytes) -> Answer:
        """Change a toxic."""
        proxy, toxic = names
        edits.find_toxic(edits.find(self._supervisor.current.config, proxy)[0], toxic)
        edit = edits.ToxicUpdate(proxy, toxic, bodies.decode(body))
        change = await self._change(edit, f"toxic {toxic} of {proxy} changed")
        return self._toxic(change.revision.config, proxy, toxic)

    async def delete_toxic(self, names: Sequence[str], body: bytes) -> Answer:  # noqa: ARG002 - a Route
        """Remove a toxic."""
        proxy, toxic = names
        await self._change(edits.ToxicDeletion(proxy, toxic), f"toxic {toxic} of {proxy} removed")
        return NO_CONTENT

    async def _change(self, edit: edits.ProxyEdit, comment: str) -> Change:
        """Apply an edit on all workers, and close the connections that it closes. Raises ApiError."""
        try:
            change = await self._supervisor.edit(edit, comment=comment[:MAX_COMMENT], origin=TOXIPROXY)
        except InvalidConfig as error:
            raise _rejected(error) from None
        except Stopping as error:
            raise ApiError(str(error), HTTPStatus.SERVICE_UNAVAILABLE) from None
        except (ChangeFailed, CountersExhausted) as error:
            raise failed(str(error)) from None
        for listener in edit.closed if change.changed else ():
            await self._supervisor.connections.close(ConnectionQuery(listener=listener), reset=False, at_once=True)
        return change

    def _shown(self, proxy: Proxy, listener: v1.Listener) -> dict[str, Any]:
        return proxy.written(self._supervisor.address(listener))

    @staticmethod
    def _toxic(config: v1.Config, proxy: str, toxic: str) -> Answer:
        return written(edits.find_toxic(edits.find(config, proxy)[0], toxic).written())


MAX_COMMENT: Final = 200  # characters


def _rejected(error: InvalidConfig) -> ApiError:
    """The error for a configuration that cannot be active: an address in use is no fault of the request."""
    problem = error.problems[0]
    if problem.path.endswith(".address") and not problem.path.endswith(".upstream.address"):
        return failed(f"listen tcp: {problem.message}")
    where = problem.path.partition("].")[2] or problem.path
    return bad_request(f"{where}: {problem.message}" if where else problem.message)


ROUTES: Final[Mapping[tuple[str, ...], Mapping[str, Route]]] = {
    ("version",): {"GET": Routes.version},
    ("reset",): {"POST": Routes.reset},
    ("populate",): {"POST": Routes.populate},
    ("proxies",): {"GET": Routes.proxies, "POST": Routes.create},
    ("proxies", ""): {"GET": Routes.proxy, "POST": Routes.update, "PATCH": Routes.update, "DELETE": Routes.delete},
    ("proxies", "", "toxics"): {"GET": Routes.toxics, "POST": Routes.add_toxic},
    ("proxies", "", "toxics", ""): {
        "GET": Routes.toxic,
        "POST": Routes.update_toxic,
        "PATCH": Routes.update_toxic,
        "DELETE": Routes.delete_toxic,
    },
}
"""By the parts of the path, with names left out."""
