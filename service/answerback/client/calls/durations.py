"""Durations as callers give them."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

Seconds = float | timedelta


def duration(value: Seconds) -> Duration:
    """Return the message."""
    message = Duration()
    message.FromTimedelta(value if isinstance(value, timedelta) else timedelta(seconds=value))
    return message
