"""Replaces what looks like a secret, by as many letters x, so that every length stays right."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from answerback.recording.pieces import Piece, by_connection, sent_by

Spans = Mapping[int, Sequence[tuple[int, int]]]
"""By connection: where secrets begin and end in what the client sent."""

LEAST_ELSEWHERE: Final = 4  # bytes of a secret that is replaced wherever else it occurs: shorter ones are words
FILLER: Final = b"x"

# Each has the secret as its group.
PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rb"^(?:proxy-)?authorization: *[a-z]+ +([^\r\n]+)",
        rb"^cookie: *([^\r\n]+)",
        rb"^auth +(?:plain|login|xoauth2) +([^\s=][^\s]*)",
        rb"^(?:pass|auth) +(?!(?:plain|login|xoauth2|cram-md5)\b)([^\r\n]+)",
        rb"^\S+ +login +\S+ +([^\r\n]+)",
        rb"\$4\r\nauth\r\n\$\d+\r\n([^\r\n]*)\r\n(?!\$)",
        rb"\$4\r\nauth\r\n\$\d+\r\n[^\r\n]*\r\n\$\d+\r\n([^\r\n]*)\r\n",
        rb"(?:password|passwd|pwd|secret|token|api[-_]?key)[\"']? *[:=] *[\"']?([^\s\"'&;,]+)",
    )
)
SMTP_CHALLENGE: Final = re.compile(rb"^334 [^\r\n]*\r?\n\Z")
"""A reply of SMTP (RFC 4954) behind which the client's next line is a secret."""


def redacted(pieces: Sequence[Piece]) -> tuple[list[Piece], Spans]:
    """The pieces without secrets, and where they were."""
    spans = {number: sorted(_found(each)) for number, each in by_connection(pieces).items()}
    secrets = set()
    for number, each in by_connection(pieces).items():
        sent = sent_by(each, client=True)
        secrets |= {sent[begin:end] for begin, end in spans[number]}
    elsewhere = sorted((secret for secret in secrets if len(secret) >= LEAST_ELSEWHERE), key=len, reverse=True)
    sides: dict[tuple[int, bool], bytes] = {}
    for number, each in by_connection(pieces).items():
        for client in (True, False):
            side = bytearray(sent_by(each, client=client))
            for begin, end in spans[number] if client else ():
                side[begin:end] = FILLER * (end - begin)
            for secret in elsewhere:
                side = side.replace(secret, FILLER * len(secret))
            sides[number, client] = bytes(side)
    return list(_cut_alike(pieces, sides)), {number: each for number, each in spans.items() if each}


def _found(pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    data = sent_by(pieces, client=True)
    seen: set[tuple[int, int]] = set()
    for pattern in PATTERNS:
        for found in pattern.finditer(data):
            begin, end = found.span(1)
            if end > begin and not any(begin < other[1] and other[0] < end for other in seen):
                seen.add((begin, end))
    sent, challenged = 0, False
    for piece in pieces:
        if not piece.from_client:
            challenged = SMTP_CHALLENGE.search(piece.data) is not None
            continue
        end = sent + len(piece.data.rstrip(b"\r\n"))
        if challenged and end > sent:
            seen.add((sent, end))
        sent += len(piece.data)
        challenged = False
    yield from seen


def _cut_alike(pieces: Sequence[Piece], sides: Mapping[tuple[int, bool], bytes]) -> Iterator[Piece]:
    at: dict[tuple[int, bool], int] = {}
    for piece in pieces:
        side = piece.connection, piece.from_client
        begin = at.get(side, 0)
        at[side] = begin + len(piece.data)
        yield replace(piece, data=sides[side][begin : at[side]]) if piece.data else piece
