"""The generated references: every field has the word of its type."""

import re

import pytest
from google.protobuf import descriptor_pb2 as pb

from tools import api_reference, reference


def words_of(page: str, kind: str) -> dict[str, str]:
    """The words of the reference for the fields of a type in the schema, by message and field."""
    wanted = {
        f"{message.name}.{field.name}"
        for file in reference.files()
        for message in file.message_type
        for field in message.field
        if kind in {field.type_name.removeprefix("."), str(field.type)}
    }
    sections = re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    rows = {
        f"{title}.{name}": word
        for title, text in sections
        for name, word in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE)
    }
    return {name: word for name, word in rows.items() if name in wanted}


def test_api_reference_has_the_types_of_times_and_masks_and_bytes() -> None:
    page = api_reference.page()
    assert words_of(page, "google.protobuf.FieldMask") == {"UpdateListenerRequest.update_mask": "`FieldMask`"}
    times = words_of(page, "google.protobuf.Timestamp")
    assert {"Revision.time", "GetStatusResponse.start_time", "Missing.newest"} <= times.keys()
    assert set(times.values()) == {"`Timestamp`"}
    assert words_of(page, str(pb.FieldDescriptorProto.TYPE_BYTES)) == {"Body.data": "bytes"}


def test_type_without_a_word_is_an_error_that_names_the_field() -> None:
    field = pb.FieldDescriptorProto(
        name="anything", type=pb.FieldDescriptorProto.TYPE_MESSAGE, type_name=".google.protobuf.Any"
    )
    one = reference.Described("answerback.v1.It", pb.DescriptorProto(name="It", field=[field]), {(2, 0): "A field."})
    with pytest.raises(LookupError, match=r"anything: there is no word for the type google\.protobuf\.Any"):
        reference.sections([one], {one.name: one})
