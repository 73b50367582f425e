"""Conversion of times to messages."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime) -> Timestamp:
    """Return the time as a Timestamp, to the microsecond."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
