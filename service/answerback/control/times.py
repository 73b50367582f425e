"""Times, as messages have them."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime) -> Timestamp:
    """The same moment, to the microsecond."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
