"""The series that Answerback exposes, and the family that each belongs to."""

from collections.abc import Mapping

from answerback.metrics.families import FAMILIES, PREFIX
from answerback.metrics.samples import Kind

SERIES: Mapping[str, str] = {
    f"{PREFIX}{family.name}{ending}": family.name
    for family in FAMILIES
    for ending in (("_bucket", "_sum", "_count") if family.kind is Kind.HISTOGRAM else ("",))
}
