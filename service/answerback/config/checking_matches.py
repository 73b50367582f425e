"""What may be wrong with a condition."""

from collections.abc import Sequence
from ipaddress import ip_network

from answerback.config import bounds
from answerback.config.captures import captures_in, twice_named
from answerback.config.checking_bytes import BytesCheck, pattern
from answerback.config.payloads import says_nothing
from answerback.config.problems import Problems, quoted, step_into
from answerback.core import templates
from answerback.v1 import config_pb2 as v1

# Rule: one condition, one method; a oneof without a member says nothing, and that is a problem.

MAX_CONDITIONS = 32  # in one another: protobuf takes 100 messages deep, and each of these may be two

_LITERALS = {"equals", "prefix", "suffix", "contains"}
_WITHOUT_REQUEST = {"peer", "all", "any", "not"}  # what can be asked before there is a request


class MatchCheck:
    """The checks of a rule's conditions. `event`: the word of one that brings no request; None for a request."""

    def __init__(self, data: BytesCheck, problems: Problems, event: str | None) -> None:
        self._data = data
        self._problems = problems
        self._event = event

    def match(self, match: v1.Match, path: str, depth: int = 1) -> None:
        """A condition, and those in it."""
        kind = match.WhichOneof("kind")
        if depth > MAX_CONDITIONS:
            self._problems.add(path, f"conditions can be {MAX_CONDITIONS} deep in one another")
        elif kind is None:
            self._problems.add(path, says_nothing(match))
        elif self._event is not None and kind not in _WITHOUT_REQUEST:
            self._problems.add(
                step_into(path, kind), f"there is no request on {self._event}, so that only peer can be looked at"
            )
        elif kind in _LITERALS:
            self._data.content(getattr(match, kind), step_into(path, kind))
        elif kind == "not":
            self.match(getattr(match, "not"), step_into(path, "not"), depth + 1)
        elif kind in {"all", "any"}:
            self._matches(getattr(match, kind).of, step_into(path, kind), depth)
        else:
            getattr(self, f"_{kind}")(match, step_into(path, kind))

    def _matches(self, matches: Sequence[v1.Match], path: str, depth: int) -> None:
        if not matches:
            self._problems.add(path, "an empty list: give at least one condition")
        for index, match in enumerate(matches):
            self.match(match, f"{path}.of[{index}]", depth + 1)

    def _regex(self, match: v1.Match, path: str) -> None:
        captures = captures_in(match.regex) if pattern(match.regex, path, self._problems) else None
        if captures is None:
            return
        for name in twice_named(match.regex):
            self._problems.add(path, f"more than one group is named {quoted(name)}")
        for name in sorted(captures.names):
            if templates.is_reserved(name):
                self._problems.add(path, f"a group cannot be named {quoted(name)}: templates mean something else by it")

    def _size(self, match: v1.Match, path: str) -> None:
        self._range(match.size, path)

    def _request_number(self, match: v1.Match, path: str) -> None:
        self._range(match.request_number, path)
        if match.request_number.HasField("max") and not match.request_number.max:
            self._problems.add(f"{path}.max", "must be at least 1: requests are numbered from there")

    def _range(self, given: v1.Match.Range, path: str) -> None:
        low, high = given.HasField("min"), given.HasField("max")
        if not low and not high:
            self._problems.add(path, "says nothing: give min or max")
        elif low and high and given.min > given.max:
            self._problems.add(path, f"never holds: min, {given.min}, is more than max, {given.max}")

    def _bytes(self, match: v1.Match, path: str) -> None:
        here = match.bytes
        bounds.between(here.offset, 0, bounds.MAX_REQUEST_BYTES, f"{path}.offset", self._problems)
        equals = self._data.not_empty(here.equals, f"{path}.equals") if here.HasField("equals") else None
        mask = self._data.content(here.mask, f"{path}.mask") if here.HasField("mask") else None
        if equals is not None and mask is not None and len(equals) != len(mask):
            self._problems.add(f"{path}.mask", f"{len(mask)} bytes, for {len(equals)} that are compared")

    def _peer(self, match: v1.Match, path: str) -> None:
        try:
            network = ip_network(match.peer, strict=False)
        except ValueError:
            network = None
        if network is None or "%" in match.peer:
            self._problems.add(
                path, f"an address or network is expected, like 192.0.2.7 or 10.0.0.0/8, not {quoted(match.peer)}"
            )
            return
        try:
            ip_network(match.peer)
        except ValueError:
            self._problems.add(path, f"{quoted(match.peer)} says more bits than its prefix has: write {network}")
