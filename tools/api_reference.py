"""Write docs/reference/api.md from the comments of the .proto files: `python -m tools.api_reference`."""

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

gRPC, the package `answerback.v1`, at `serve --admin` (default `127.0.0.1:50051`). The schema is available by gRPC
reflection on loopback and Unix sockets, on other addresses with `--admin-reflection`, and as
[files](../../proto/answerback/v1). A token is sent as the metadata `authorization: Bearer TOKEN`;
[security](../security.md#who-may-call-what) lists the permissions. `grpc.health.v1.Health` reports
`liveness`, `readiness`, each service and each `listener/NAME`.

A change is applied on all workers or none. A change in progress is completed even if its client disconnects.

In the tables, `Timestamp`, `FieldMask` and duration are the messages `Timestamp`, `FieldMask` and `Duration` of
`google.protobuf`. A `Timestamp` is in UTC. A `FieldMask` lists paths of fields, such as `limits.idle_timeout`.

## Errors
A status has a code, a message, and in its details a `google.rpc.ErrorInfo` of the domain
`answerback`, whose `reason` is machine-readable. Problems in the request are listed as
`google.rpc.BadRequest`, with one violation per problem.

| reason | code | meaning |
| --- | --- | --- |
| `CONFIG_REJECTED` | INVALID_ARGUMENT | The violations are the problems of the configuration, `total` their number. |
| `BAD_ARGUMENT` | INVALID_ARGUMENT | Another field of the request has an invalid value. |
| `BAD_UPDATE_MASK` | INVALID_ARGUMENT | The update mask names a field that a listener does not have. |
| `COMMENT_TOO_LONG` | INVALID_ARGUMENT | The comment is longer than 1024 characters. |
| `MALFORMED_REQUEST` | INVALID_ARGUMENT | The request could not be decoded. |
| `UNAUTHENTICATED` | UNAUTHENTICATED | A token is required, and the call had none or an unknown one. |
| `PERMISSION_DENIED` | PERMISSION_DENIED | The token allows only read access, and the call is a change. |
| `NO_SUCH_LISTENER` | NOT_FOUND | The active configuration has no listener with that name. |
| `NO_SUCH_FAULT` | NOT_FOUND | The listener has no fault with that name. |
| `NO_SUCH_COUNTER` | NOT_FOUND | The listener has no rule or fault with that name. |
| `NO_SUCH_SIGNAL` | NOT_FOUND | No step of the active configuration waits for or gives that signal. |
| `REVISION_NOT_KEPT` | NOT_FOUND | The revision is not in the history, or no longer. |
| `LISTENER_EXISTS` | ALREADY_EXISTS | A listener with that name already exists. |
| `FAULT_EXISTS` | ALREADY_EXISTS | The listener already has a fault with that name. |
| `ETAG_MISMATCH` | ABORTED | The configuration was changed in the meantime: read it again before you retry. |
| `RESTART_IN_PROGRESS` | ABORTED | A restart of the workers is already in progress. |
| `JOURNAL_BUSY` | UNAVAILABLE | The journal is being resized after a change of its bounds: try again. |
| `STALE_PAGE_TOKEN` | OUT_OF_RANGE | The etag is from another history: start with the active revision. |
| `CHANGE_FAILED` | UNAVAILABLE | A worker or the machine could not apply the change; nothing has changed. |
| `STORE_FAILED` | UNAVAILABLE | The revision could not be stored; nothing has changed. |
| `STORE_FULL` | RESOURCE_EXHAUSTED | No space is left for the revision; nothing has changed. |
| `STORE_CORRUPT` | DATA_LOSS | The history is damaged; nothing has changed. |
| `COUNTERS_EXHAUSTED` | RESOURCE_EXHAUSTED | Too many listeners, rules and faults were created: restart `serve`. |
| `TOO_MANY_CALLS` | RESOURCE_EXHAUSTED | The maximum number of calls of this kind is in progress: try again. |
| `TOO_MANY_BYTES` | RESOURCE_EXHAUSTED | Calls of this kind hold 12 MiB of requests and unread responses: try again. |
| `REQUEST_UNFINISHED` | DEADLINE_EXCEEDED | It did not arrive within 10 s, or was dropped in favour of others. |
| `TOO_MANY_PARTS` | INVALID_ARGUMENT | The request has more than 200,000 fields and list items. |
| `STOPPING` | UNAVAILABLE | The server is shutting down. |
| `INTERNAL` | INTERNAL | Internal error; the details are only in the log of the server. |
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
