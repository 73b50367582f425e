"""The generated references: every field has the word of its type."""

import re

import pytest
from google.protobuf import descriptor_pb2 as pb

from tools import api_reference, reference


def words_of(page: str, *types: str) -> set[tuple[str, str]]:
    """The fields of these types in the schema, each as a pair of its name and the word in the reference."""
    fields = {
        field.name
        for file in reference.files()
        for message in file.message_type
        for field in message.field
        if (field.type_name.removeprefix(".") or str(field.type)) in types
    }
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE)
    return {(name, word) for name, word in rows if name in fields}


def test_api_reference_has_the_types_of_times_and_masks_and_bytes() -> None:
    page = api_reference.page()
    assert words_of(page, "google.protobuf.FieldMask") == {("update_mask", "`FieldMask`")}
    times = words_of(page, "google.protobuf.Timestamp")
    assert {"time", "start_time", "newest"} <= {name for name, _ in times}
    assert {word for _, word in times} == {"`Timestamp`"}
    assert words_of(page, str(pb.FieldDescriptorProto.TYPE_BYTES)) == {("data", "bytes")}


def test_type_without_a_word_is_an_error_that_names_the_field() -> None:
    field = pb.FieldDescriptorProto(
        name="anything", type=pb.FieldDescriptorProto.TYPE_MESSAGE, type_name=".google.protobuf.Any"
    )
    one = reference.Described("answerback.v1.It", pb.DescriptorProto(name="It", field=[field]), {(2, 0): "A field."})
    with pytest.raises(LookupError, match=r"anything: there is no word for the type google\.protobuf\.Any"):
        reference.sections([one], {one.name: one})
