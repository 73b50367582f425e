"""Write docs/reference/configuration.md from the comments of the .proto files: `python -m tools.reference`."""

# Rule: the comments in proto/ are the reference; what is missing here is missing there.
# Rule: a field without a comment of its own is explained by its type's; one that has neither is an error.

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2 as pb

from answerback.language.reference import entries
from answerback.v1 import options_pb2
from tools import proto

PAGE: Final = proto.ROOT / "docs" / "reference" / "configuration.md"
HEAD: Final = """# The configuration

<!-- Written by `make proto` from the comments in proto/ and from service/answerback/language: change those. -->

The fields of a configuration, in a file and as `answerback.v1.Config` in the API: both are the same message. A file is
YAML 1.2; a duration is written `500ms`, `8s`, `5m` or `1h`, and an enum by its short name. Where a *shorthand* is
listed, a file may use it in place of the whole message; the API and `answerback show` use the whole message.
[The guide](../guide.md) explains how the fields act together, and how a file is written.
"""
CONFIGURATION: Final = "answerback.v1.Config"
SPOKEN: Final = {(each.message, each.field): each for each in entries()}
PACKAGE: Final = "answerback.v1."

WORDS: Final = {
    "google.protobuf.Duration": "duration",
    "google.protobuf.FieldMask": "`FieldMask`",
    "google.protobuf.Timestamp": "`Timestamp`",
    pb.FieldDescriptorProto.TYPE_BOOL: "`true` or `false`",
    pb.FieldDescriptorProto.TYPE_BYTES: "bytes",
    pb.FieldDescriptorProto.TYPE_STRING: "text",
    pb.FieldDescriptorProto.TYPE_DOUBLE: "number",
    pb.FieldDescriptorProto.TYPE_INT32: "whole number",
    pb.FieldDescriptorProto.TYPE_UINT32: "whole number",
    pb.FieldDescriptorProto.TYPE_INT64: "whole number",
    pb.FieldDescriptorProto.TYPE_UINT64: "whole number",
}

# Places in a descriptor's path (descriptor.proto, SourceCodeInfo): the numbers of the fields that lead there.
MESSAGE, ENUM = 4, 5
FIELD, NESTED, NESTED_ENUM, VALUE = 2, 3, 4, 2


@dataclass(frozen=True, slots=True)
class Described:
    """A message or enum, its full name, and the comments on it and on its parts."""

    name: str
    kind: pb.DescriptorProto | pb.EnumDescriptorProto
    comments: dict[tuple[int, ...], str]

    @property
    def title(self) -> str:
        """Its name within the package."""
        return self.name.removeprefix(PACKAGE)

    def comment(self, *path: int) -> str:
        """On the thing itself, or on a part of it; one line, empty if there is none."""
        return self.comments.get(path, "")


def files() -> list[pb.FileDescriptorProto]:
    """The public package's files, with their comments."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        sources = sorted((proto.SOURCE / "answerback" / "v1").glob("*.proto"))
        proto.protoc(sources, f"--descriptor_set_out={out}", "--include_source_info")
        return list(pb.FileDescriptorSet.FromString(out.read_bytes()).file)


def described(package: list[pb.FileDescriptorProto]) -> dict[str, Described]:
    """Everything of some files, by full name, in their order."""
    return {found.name: found for file in package for found in _in_file(file)}


def comments(file: pb.FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """What is said before each thing of a file, by its path; one line each."""
    return {
        tuple(place.path): re.sub(r"\s+", " ", place.leading_comments).strip()
        for place in file.source_code_info.location
        if place.leading_comments
    }


def _in_file(file: pb.FileDescriptorProto) -> Iterator[Described]:
    said = comments(file)
    for index, message in enumerate(file.message_type):
        yield from _in_message(message, file.package, said, (MESSAGE, index))
    for index, enum in enumerate(file.enum_type):
        yield Described(f"{file.package}.{enum.name}", enum, _below(said, (ENUM, index)))


def _in_message(
    message: pb.DescriptorProto, within: str, said: dict[tuple[int, ...], str], path: tuple[int, ...]
) -> Iterator[Described]:
    name = f"{within}.{message.name}"
    yield Described(name, message, _below(said, path))
    for index, nested in enumerate(message.nested_type):
        yield from _in_message(nested, name, said, (*path, NESTED, index))
    for index, enum in enumerate(message.enum_type):
        yield Described(f"{name}.{enum.name}", enum, _below(said, (*path, NESTED_ENUM, index)))


def _below(said: dict[tuple[int, ...], str], path: tuple[int, ...]) -> dict[tuple[int, ...], str]:
    return {place[len(path) :]: text for place, text in said.items() if place[: len(path)] == path}


def page() -> str:
    """The reference as Markdown. Raises LookupError, naming every field that nothing explains."""
    everything = described(files())
    return "\n".join([HEAD, *sections(reached([CONFIGURATION], everything), everything)])


def reached(names: list[str], everything: dict[str, Described]) -> list[Described]:
    """These, and what their fields lead to, but for what is empty: breadth first, as a reader meets them."""
    found = [everything[name] for name in dict.fromkeys(names) if not _empty(everything[name])]
    for one in found:  # grows as it goes
        for field in one.kind.field if isinstance(one.kind, pb.DescriptorProto) else ():
            target = everything.get(field.type_name.removeprefix("."))
            if target is not None and target not in found and not _empty(target):
                found.append(target)
    return found


def sections(some: list[Described], everything: dict[str, Described]) -> list[str]:
    """A section for each. Raises LookupError, naming every field that nothing explains."""
    if silent := [f"{one.title}.{name}" for one in some for name in _silent(one, everything)]:
        raise LookupError(f"fields that nothing explains: {', '.join(silent)}")
    return [_section(one, everything) for one in some]


def _section(one: Described, everything: dict[str, Described]) -> str:
    lines = [f"## {one.title}", *([one.comment()] if one.comment() else [])]
    if isinstance(one.kind, pb.EnumDescriptorProto):
        prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one.kind.name).upper() + "_"
        words = [(value.name.removeprefix(prefix), one.comment(VALUE, at)) for at, value in enumerate(one.kind.value)]
        listed = [
            f"- `{word}`: {said}" if said else f"- `{word}`" for word, said in words if said or word != "UNSPECIFIED"
        ]
        return "\n".join([*lines, "", *listed]) + "\n"
    if short := one.kind.options.Extensions[options_pb2.shorthand]:
        lines.append(f"Shorthand: a bare value or list stands for `{short}`.")
    if one.kind.options.Extensions[options_pb2.word]:
        lines.append("Shorthand: a bare word names a member that needs no content.")
    if choice := [f"`{field.name}`" for field in one.kind.field if _chosen(field)]:
        lines.append(f"One of {', '.join(choice)}.")
    if not any((one.name, field.name) in SPOKEN for field in one.kind.field):
        lines += ["", "| field | value | |", "| --- | --- | --- |"]
        lines += [
            f"| `{field.name}` | {_value(field, everything)} | {_explained(one, at, everything)}{_needed(field)} |"
            for at, field in enumerate(one.kind.field)
        ]
        return "\n".join(lines) + "\n"
    where = {SPOKEN[one.name, field.name].where.value for field in one.kind.field}
    lines += [f"Examples are {' and '.join(sorted(where))}."]
    lines += ["", "| field | value | default | may be | | example |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [_row(one, at, everything) for at in range(len(one.kind.field))]
    return "\n".join(lines) + "\n"


def _needed(field: pb.FieldDescriptorProto) -> str:
    return " Required." if field.options.Extensions[options_pb2.required] else ""


def _row(one: Described, at: int, everything: dict[str, Described]) -> str:
    """A field of the configuration, with its default, its bounds and an example."""
    assert isinstance(one.kind, pb.DescriptorProto)
    field = one.kind.field[at]
    entry = SPOKEN[one.name, field.name]
    default = entry.default or _default(field)
    cells = (f"`{field.name}`", _value(field, everything), default, entry.bounds, _explained(one, at, everything))
    return f"| {' | '.join(cells)} | `{entry.example}` |"


def _default(field: pb.FieldDescriptorProto) -> str:
    """What the schema says of a field that is not given."""
    if field.options.Extensions[options_pb2.required] or field.name in ("name", "address"):
        return "required"
    if _chosen(field):
        return "one of these"
    return "`false`" if field.type == pb.FieldDescriptorProto.TYPE_BOOL else ""


def _silent(one: Described, everything: dict[str, Described]) -> Iterator[str]:
    if isinstance(one.kind, pb.DescriptorProto):
        yield from (field.name for at, field in enumerate(one.kind.field) if not _explained(one, at, everything))


def _explained(one: Described, at: int, everything: dict[str, Described]) -> str:
    assert isinstance(one.kind, pb.DescriptorProto)
    target = everything.get(one.kind.field[at].type_name.removeprefix("."))
    return (one.comment(FIELD, at) or (target.comment() if target else "")).replace("|", "\\|")


def anchor(one: Described) -> str:
    """By which its section is linked to."""
    return one.title.lower().replace(".", "")


def _empty(one: Described) -> bool:
    return isinstance(one.kind, pb.DescriptorProto) and not one.kind.field


def _chosen(field: pb.FieldDescriptorProto) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def _value(field: pb.FieldDescriptorProto, everything: dict[str, Described]) -> str:
    name = field.type_name.removeprefix(".")
    if name in everything and _empty(everything[name]):
        word = "`{}`"
    elif name in everything:
        title = everything[name].title
        word = f"[{title}](#{anchor(everything[name])})"
    else:
        word = _word(field, name)
    return f"list of {word}" if field.label == pb.FieldDescriptorProto.LABEL_REPEATED else word


def _word(field: pb.FieldDescriptorProto, name: str) -> str:
    """Raises LookupError for a type without a word."""
    word = WORDS.get(name or field.type)
    if word is None:
        raise LookupError(f"{field.name}: there is no word for the type {name or field.type}: add it to WORDS")
    return word


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
