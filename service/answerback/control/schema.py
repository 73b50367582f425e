"""The descriptors for reflection, with additions to those of the libraries.

grpcio-health-checking 1.80 lacks `List` (in grpc/grpc-proto's health.proto since 2025), and grpcio-reflection has
only v1alpha, of which v1 is the same under another name.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from google.protobuf import message_factory, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from answerback.v1 import (
    config_service_pb2,
    connection_service_pb2,
    journal_service_pb2,
    listener_service_pb2,
    operations_service_pb2,
)

# Descriptors are Any here: two packages of stubs name their class differently.

HEALTH: Final = "grpc.health.v1.Health"
REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
FILES: Final = (
    config_service_pb2.DESCRIPTOR,
    connection_service_pb2.DESCRIPTOR,
    journal_service_pb2.DESCRIPTOR,
    listener_service_pb2.DESCRIPTOR,
    operations_service_pb2.DESCRIPTOR,
)
OURS: Final = tuple(service.full_name for file in FILES for service in file.services_by_name.values())
WITHOUT_REFLECTION: Final = (*OURS, HEALTH)
SERVICES: Final = (*WITHOUT_REFLECTION, *REFLECTION)

HAS_LIST: Final = hasattr(health_pb2, "HealthListRequest")  # in releases after 1.80
_LIST: Final = """
message_type { name: "HealthListRequest" }
message_type {
  name: "HealthListResponse"
  field {
    name: "statuses" number: 1 label: LABEL_REPEATED type: TYPE_MESSAGE
    type_name: ".grpc.health.v1.HealthListResponse.StatusesEntry"
  }
  nested_type {
    name: "StatusesEntry"
    field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field {
      name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE
      type_name: ".grpc.health.v1.HealthCheckResponse"
    }
    options { map_entry: true }
  }
}
"""
_LIST_METHOD: Final = """
name: "List" input_type: ".grpc.health.v1.HealthListRequest" output_type: ".grpc.health.v1.HealthListResponse"
"""


def _health() -> FileDescriptorProto:
    """Return health.proto with `List`."""
    file = _proto(health_pb2.DESCRIPTOR)
    if HAS_LIST:
        return file
    text_format.Merge(_LIST, file)
    text_format.Merge(_LIST_METHOD, file.service[0].method.add())
    return file


def _reflection_v1() -> FileDescriptorProto:
    """Return the reflection protocol under its name since 2023."""
    text = text_format.MessageToString(_proto(reflection_pb2.DESCRIPTOR))
    return text_format.Parse(text.replace("v1alpha", "v1"), FileDescriptorProto())


def _proto(file: Any) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    return proto


def _with_dependencies(files: Iterable[Any]) -> Iterable[Any]:
    """Yield each file after those that it imports."""
    for file in files:
        yield from _with_dependencies(file.dependencies)
        yield file


def _pool() -> DescriptorPool:
    files = {file.name: _proto(file) for file in _with_dependencies((*FILES, reflection_pb2.DESCRIPTOR))}
    pool = DescriptorPool()
    for file in (*files.values(), _health(), _reflection_v1()):
        pool.AddSerializedFile(file.SerializeToString())  # type: ignore[no-untyped-call]
    return pool


POOL: Final = _pool()

REQUESTS: Final[Mapping[str, Any]] = {
    f"/{service}/{method.name}": method.input_type
    for service in SERVICES
    for method in POOL.FindServiceByName(service).methods  # type: ignore[no-untyped-call]
}
"""The descriptor of each method's request, by the method's path."""


def _message(name: str) -> Any:
    """Return a message class made from its descriptor; it has no stub."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))  # type: ignore[no-untyped-call]


# Those of the library, if it has them: it registers `List` itself then.
HealthListRequest: Final = getattr(health_pb2, "HealthListRequest", None) or _message(
    "grpc.health.v1.HealthListRequest"
)
HealthListResponse: Final = getattr(health_pb2, "HealthListResponse", None) or _message(
    "grpc.health.v1.HealthListResponse"
)
