"""The files that the `tls` of listeners and upstreams names: paths are made absolute, files are read and tested."""

import errno
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from answerback.language.files import NO_FOLDER, OUTSIDE, Refusal
from answerback.language.pem import AnyTls, Source, authorities_of, pairs_of, sources_of
from answerback.language.problems import Enough, Problem, Problems, quoted, step_into
from answerback.language.redaction import UNKNOWN, is_redacted
from answerback.language.tls import MAX_PATH, compile_settings
from answerback.language.upstream_tls import compile_client
from answerback.tls import private_files
from answerback.tls.chain import misplaced
from answerback.tls.client import client_context
from answerback.tls.contexts import Contexts
from answerback.tls.material import Material
from answerback.tls.pairs import Unfit, load_pair, private, trust, try_out
from answerback.tls.private_files import BadFile, PrivateFile
from answerback.v1 import config_pb2 as v1

# Rule: a revision has absolute paths: it does not matter who names them later, or from where.
# Rule: what was read is tested as the workers will use it: nothing is read a second time for one decision.

Key = bytes
"""A `tls` with absolute paths, serialized, and of which kind it is."""
Materials = Mapping[Key, Material]
Refuse = Callable[[v1.Listener, str], None]
"""Raises Refusal for a name that a listener may not have."""


class FilesUnfit(Exception):
    """The files of a `tls` cannot be used: by the paths of its fields, why."""

    def __init__(self, reasons: Mapping[str, str], *, refused: bool = False) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons = reasons
        self.refused = refused
        """Whether they may not be named there."""


def key_of(given: AnyTls) -> Key:
    """Equal for equal messages."""
    kind = b"listener:" if isinstance(given, v1.Tls) else b"upstream:"
    return kind + given.SerializeToString(deterministic=True)


def tls_of(listener: v1.Listener) -> Iterator[tuple[str, AnyTls]]:
    """Yield the path of each `tls` of a listener, and itself."""
    if listener.HasField("tls"):
        yield "tls", listener.tls
    if listener.upstream.HasField("tls"):
        yield "upstream.tls", listener.upstream.tls


def with_absolute_paths(config: v1.Config, folder: Path | None) -> v1.Config:
    """Return the configuration with absolute paths, relative to `folder`; the given one stays as it is.

    Without a folder, as it is: relative names cannot be read.
    """
    if folder is None or not any(any(tls_of(listener)) for listener in config.listeners):
        return config
    made = v1.Config()
    made.CopyFrom(config)
    for listener in made.listeners:
        for _, tls in tls_of(listener):
            tls.cert, tls.key = _absolute(folder, tls.cert), _absolute(folder, tls.key)
            if isinstance(tls, v1.UpstreamTls):
                tls.ca = _absolute(folder, tls.ca)
                continue
            tls.client_ca = _absolute(folder, tls.client_ca)
            for each in tls.sni:
                each.cert, each.key = _absolute(folder, each.cert), _absolute(folder, each.key)
    return made


def _absolute(folder: Path, name: str) -> str:
    return os.path.abspath(folder / name) if name and "\0" not in name else name  # noqa: PTH100 - links stay


def refuse_nothing(_listener: v1.Listener, _name: str) -> None:
    """Let a listener name every file."""


def refuse_outside(folder: Path | None, name: str) -> None:
    """Refuse the absolute path of a file that the API may not name. Raises Refusal."""
    if folder is None:
        raise Refusal(errno.EACCES, NO_FOLDER)
    if not Path(os.path.realpath(name)).is_relative_to(os.path.realpath(folder)):
        raise Refusal(errno.EACCES, OUTSIDE)


def read_material(given: AnyTls, path: str) -> Material:
    """Read the files, each once. `path` is that of the `tls`. Raises FilesUnfit."""
    reasons: dict[str, str] = {}
    read: dict[str, PrivateFile] = {}
    for source in sources_of(given):
        try:
            if source.name not in read and not source.misplaced:
                read[source.name] = _read(source)
        except BadFile as error:
            reasons[step_into(path, source.place)] = _why(source, error)
    pairs, ca = pairs_of(given), authorities_of(given)
    needed = [*(each for pair in pairs for each in pair), *([ca] if ca.given else [])]
    if reasons or not all(each.name in read for each in needed):  # what is missing or misplaced is reported as such
        raise FilesUnfit(reasons)
    return Material(
        tuple((read[certificate.name], read[key.name]) for certificate, key in pairs),
        read[ca.name] if ca.given else None,
    )


def check_material(given: AnyTls, material: Material, path: str) -> None:
    """Test it as the workers will use it. `path` is that of the `tls`. Raises FilesUnfit."""
    ca = authorities_of(given)
    try:
        if material.ca is not None:
            trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), material.ca)
    except BadFile as error:
        raise FilesUnfit({step_into(path, ca.place): _why(ca, error)}) from None
    try:
        if isinstance(given, v1.Tls):
            Contexts(compile_settings(given), material)
        else:
            client_context(compile_client(given, ""), material)
    except BadFile as error:
        source = next(each for each in sources_of(given) if each.name == str(error.path))
        raise FilesUnfit({step_into(path, source.place): _why(source, error)}) from None
    except ssl.SSLError:  # the ciphers, which are reported by `check_tls`
        raise FilesUnfit({}) from None


def _why(source: Source, error: BadFile) -> str:
    return str(error) if source.file else error.reason


def _read(source: Source) -> PrivateFile:
    if source.pem:
        if is_redacted(source.pem):
            raise BadFile(Path(source.name), UNKNOWN)
        if len(source.pem) > private_files.MOST:
            raise BadFile(Path(source.name), f"has more than {private_files.MOST} bytes")
        return private(Path(source.name), source.pem.encode())
    name = source.file
    if "\0" in name or len(name) > MAX_PATH:
        raise BadFile(Path(quoted(name)), "that is not a file name")
    return private_files.read(Path(name))


def read_materials(
    config: v1.Config, active: Materials, refuse: Refuse = refuse_nothing
) -> tuple[dict[Key, Material], list[Problem]]:
    """Read what the listeners of a configuration with absolute paths need; and say what is wrong with it.

    `active`: what serves now; it is used where the files cannot be.
    """
    found: dict[Key, Material] = {}
    problems = Problems()
    with suppress(Enough):
        for index, listener in enumerate(config.listeners):
            for at, tls in tls_of(listener):
                path, key = f"listeners[{index}].{at}", key_of(tls)
                try:
                    _check_names(listener, tls, path, refuse)
                    if key not in found:
                        material = read_material(tls, path)
                        check_material(tls, material, path)
                        found[key] = material
                except FilesUnfit as error:
                    if key in active and not error.refused:
                        found[key] = active[key]
                        continue
                    for field, reason in error.reasons.items():
                        problems.add(field, f"cannot be used: {reason}")
    return found, problems.found()


def _check_names(listener: v1.Listener, tls: AnyTls, path: str, refuse: Refuse) -> None:
    reasons: dict[str, str] = {}
    for source in sources_of(tls):
        try:
            if source.file and not source.misplaced:
                refuse(listener, source.file)
        except Refusal as refusal:
            reasons[step_into(path, source.place)] = f"{quoted(source.file)}: {refusal.strerror or refusal}"
    if reasons:
        raise FilesUnfit(reasons, refused=True)


def unfit(given: v1.Tls, material: Material, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path of each certificate that clients, or some, reject although it can be served, and why."""
    for (source, _), (certificate, key) in zip(pairs_of(given), material.pairs, strict=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if given.ciphers:
            context.set_ciphers(given.ciphers)
        load_pair(context, certificate, key)
        try:
            try_out(context, certificate)
        except (Unfit, BadFile) as error:
            yield step_into(path, source.place), f"clients that verify it reject it: {error}"
        if order := misplaced(certificate.content):
            yield step_into(path, source.place), f"some clients reject it: {order}"


def rejected_by_clients(config: v1.Config, materials: Materials) -> Iterator[Problem]:
    """Yield a warning for each certificate of a configuration that clients reject."""
    for index, listener in enumerate(config.listeners):
        material = materials.get(key_of(listener.tls)) if listener.HasField("tls") else None
        if material is not None:
            for field, why in unfit(listener.tls, material, f"listeners[{index}].tls"):
                yield Problem(field, why)
