"""The file of `serve --port-file`: which addresses were bound, for programs that started the server on port 0."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from answerback.supervisor import StartError

# Rule: the file appears whole or not at all, and only once every address accepts connections.


@contextmanager
def written(path: Path, listeners: Mapping[str, str], admin: str, metrics: str, toxiproxy: str = "") -> Iterator[None]:
    """Write the addresses as a JSON object, and remove the file at the end. Raises StartError.

    Keys: `listeners` (an object: name to address), `admin`, `metrics` (addresses; null if they are off),
    `toxiproxy_api` (if it is served) and `pid`.
    """
    ours = {"admin": admin, "metrics": metrics or None} | ({"toxiproxy_api": toxiproxy} if toxiproxy else {})
    text = json.dumps({"listeners": dict(listeners), **ours, "pid": os.getpid()}, indent=2)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(f"{text}\n")
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise StartError(f"--port-file {path}: {error.strerror or error}") from None
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
