"""Write docs/reference/api.md from what the .proto files say of themselves; `python -m tools.api_reference`."""

# Rule: the comments in proto/ are the reference; here is only what belongs to no method or field.

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from google.protobuf import descriptor_pb2 as pb

from tools import proto, reference

PAGE: Final = proto.ROOT / "docs" / "reference" / "api.md"
Comments: TypeAlias = dict[tuple[int, ...], str]
Everything: TypeAlias = dict[str, reference.Described]

SERVICE, METHOD = 6, 2  # places in a descriptor's path, as those of tools.reference
HEAD: Final = """# The API

<!-- Written by `make proto` from the comments in proto/, and from tools/api_reference.py: change those. -->

gRPC, the package `answerback.v1`, at `serve --admin` (`127.0.0.1:50051` unless told otherwise). Reflection offers the
schema where the API is on loopback or a Unix socket, elsewhere with `--admin-reflection`; or take
[the files](../../proto/answerback/v1). A token travels as the metadata `authorization: Bearer TOKEN`;
[security](../security.md#who-may-call-what) says who may call what. `grpc.health.v1.Health` is there too, with
`liveness`, `readiness`, each service and each `listener/NAME`.

A change is made on every worker or on none; one that has begun is finished, whether its client waits for it or not.

## Errors
A status has a code, a message for people, and in its details a `google.rpc.ErrorInfo` of the domain `answerback`, whose
`reason` is for programs. What is at fault in the request is there as `google.rpc.BadRequest`, a violation for each
problem.

| reason | code | what |
| --- | --- | --- |
| `CONFIG_REFUSED` | INVALID_ARGUMENT | The violations say what is wrong with the configuration, `total` how much. |
| `BAD_ARGUMENT` | INVALID_ARGUMENT | Another field of the request has a value that it cannot have. |
| `BAD_UPDATE_MASK` | INVALID_ARGUMENT | The mask names what a listener does not have. |
| `COMMENT_TOO_LONG` | INVALID_ARGUMENT | A comment has 1024 characters at most. |
| `MALFORMED_REQUEST` | INVALID_ARGUMENT | The bytes of the request are not those of its message. |
| `UNAUTHENTICATED` | UNAUTHENTICATED | A token is asked for, and there was none or a wrong one. |
| `PERMISSION_DENIED` | PERMISSION_DENIED | The token may look, and this is a change. |
| `NO_SUCH_LISTENER` | NOT_FOUND | The configuration in force has none of that name. |
| `NO_SUCH_COUNTER` | NOT_FOUND | Nor a rule or a fault. |
| `REVISION_NOT_KEPT` | NOT_FOUND | The history does not have that revision, or not any more. |
| `LISTENER_EXISTS` | ALREADY_EXISTS | There is one of that name. |
| `ETAG_MISMATCH` | ABORTED | Somebody else has changed the configuration meanwhile: look again, and decide. |
| `RESTART_IN_PROGRESS` | ABORTED | Workers are restarted one by one, once at a time. |
| `STALE_PAGE_TOKEN` | OUT_OF_RANGE | The etag is of another history: begin with the revision in force. |
| `CHANGE_FAILED` | UNAVAILABLE | A worker or the machine could not take the change; nothing has changed. |
| `STORE_FAILED` | UNAVAILABLE | The revision could not be kept; nothing has changed. |
| `STORE_FULL` | RESOURCE_EXHAUSTED | There is no room for the revision; nothing has changed. |
| `STORE_CORRUPT` | DATA_LOSS | The history is damaged; nothing has changed. |
| `COUNTERS_EXHAUSTED` | RESOURCE_EXHAUSTED | Too many listeners, rules and faults were created: restart `serve`. |
| `TOO_MANY_CALLS` | RESOURCE_EXHAUSTED | As many calls of this kind are in progress as there may be: try again. |
| `TOO_MANY_BYTES` | RESOURCE_EXHAUSTED | Calls of this kind hold 12 MiB of requests and unread answers: try again. |
| `REQUEST_UNFINISHED` | DEADLINE_EXCEEDED | Its message did not arrive in 10 s, or gave way to those that came whole. |
| `TOO_MANY_PARTS` | INVALID_ARGUMENT | The request has more than 200,000 fields and list items. |
| `STOPPING` | UNAVAILABLE | The server shuts down. |
| `INTERNAL` | INTERNAL | A fault of the server; what it was is in its log alone. |
"""


def page() -> str:
    """The reference as Markdown. Raises LookupError, naming methods or fields that nothing explains."""
    package = reference.files()
    everything = reference.described(package)
    services = [(service, said) for file in package for service, said in _services(file)]
    methods = [method for service, _ in services for method in service.method]
    named = [name[1:] for method in methods for name in (method.input_type, method.output_type)]
    configuration = reference.reached([reference.CONFIGURATION], everything)
    messages = [each for each in reference.reached(named, everything) if each not in configuration]
    sections = [_service(*each, everything) for each in services] + reference.sections(messages, everything)
    elsewhere = "|".join(reference.anchor(each) for each in configuration)
    return re.sub(rf"\]\(#({elsewhere})\)", r"](configuration.md#\1)", "\n".join([HEAD, *sections]))


def _services(file: pb.FileDescriptorProto) -> Iterator[tuple[pb.ServiceDescriptorProto, Comments]]:
    """The services of a file, each with what is said of it and its methods."""
    said = reference.comments(file)
    for index, service in enumerate(file.service):
        yield service, {path[2:]: text for path, text in said.items() if path[:2] == (SERVICE, index)}


def _service(service: pb.ServiceDescriptorProto, said: Comments, everything: Everything) -> str:
    if silent := [method.name for at, method in enumerate(service.method) if (METHOD, at) not in said]:
        raise LookupError(f"methods of {service.name} that nothing explains: {', '.join(silent)}")
    lines = [f"## {service.name}", said[()], ""]
    for at, method in enumerate(service.method):
        stream = "a stream of " if method.server_streaming else ""
        takes, gives = (_linked(everything[name[1:]]) for name in (method.input_type, method.output_type))
        lines += [f"### {method.name}", f"{takes} → {stream}{gives}", "", said[METHOD, at], ""]
    return "\n".join(lines)


def _linked(one: reference.Described) -> str:
    return f"[{one.title}](#{reference.anchor(one)})" if reference.reached([one.name], {one.name: one}) else one.title


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
