"""The layer that reads a PROXY header: when it begins the conversation, resets, waits and steps aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Send
from answerback.core.plan import ActivePlan, Limits
from answerback.core.proxy_header import ProxyHeader, ProxyProtocol
from answerback.core.session import HeaderReader, Session
from tests.core.plans import plan
from tests.core.playbook import Account, Somewhere
from tests.proxying import SIGNATURE, local, v1, v2

FAILED = (Abort(CloseReason.PROXY_HEADER),)
BEGUN = (Send(b"begun"),)
REQUIRED, OPTIONAL = ProxyProtocol(timeout=5.0), ProxyProtocol(required=False, timeout=5.0)
CLIENT = ("192.0.2.7", 40123)

modes = pytest.mark.parametrize("settings", [REQUIRED, OPTIONAL], ids=["required", "optional"])


@dataclass
class Announced:
    """A connection that notes the calls of its reader."""

    told: list[tuple[ProxyHeader | None, bytes, bool]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    layers: list[Any] = field(default_factory=list)
    drains: int = 0

    def step_to(self, layer: Any) -> None:
        self.layers.append(layer)

    def announced(self, header: ProxyHeader | None, rest: bytes, now: float, *, fin: bool) -> Sequence[Action]:
        assert self.layers, "the reader has stepped aside before the conversation begins"
        self.told.append((header, rest, fin))
        self.times.append(now)
        return BEGUN

    def drain_soon(self) -> None:
        self.drains += 1


class Reading:
    """A reader, its connection and its session."""

    def __init__(self, settings: ProxyProtocol = REQUIRED, *, trusted: bool = True, **limits: float) -> None:
        self.connection = Announced()
        self.active = ActivePlan(plan(limits=Limits(**limits)))  # type: ignore[arg-type]
        self.session = Session(self.active, Account(), 1000.0, Somewhere())
        self.reader = HeaderReader(self.session, self.session, settings, self.connection, trusted=trusted)

    def receive(self, *pieces: bytes, at: float = 1000.0) -> tuple[Action, ...]:
        return tuple(action for piece in pieces for action in self.reader.receive_data(piece, at))

    @property
    def source(self) -> tuple[str, int] | None:
        ((header, _, _),) = self.connection.told
        assert header is not None
        return header.source


@modes
@pytest.mark.parametrize("header", [v1(), v2()], ids=["v1", "v2"])
@given(behind=st.binary(max_size=5), data=st.data())
def test_conversation_begins_with_the_last_byte_of_the_header_and_what_is_behind_it(
    settings: ProxyProtocol, header: bytes, behind: bytes, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(header) - 1), max_size=4)))
    pieces = [header[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(header)], strict=True)]
    reading = Reading(settings)
    assert reading.receive(*pieces[:-1]) == ()
    assert reading.receive(pieces[-1] + behind) == BEGUN
    assert reading.connection.told == [(ProxyHeader(len(header), CLIENT), behind, False)]
    assert reading.connection.layers == [reading.session]


def test_connection_without_a_header_is_reset_where_it_is_required() -> None:
    for data in (b"PING\r\n", b"PROXX", b"\r\n\r\n\0\r\nQUIET", b"\r\nx"):
        assert Reading().receive(data) == FAILED


def test_connection_without_a_header_is_served_where_it_is_optional_as_soon_as_that_is_certain() -> None:
    reading = Reading(OPTIONAL)
    assert reading.receive(b"P", b"R", b"O") == ()
    assert reading.receive(b"T") == BEGUN
    assert reading.connection.told == [(None, b"PROT", False)]


@modes
def test_malformed_header_is_reset(settings: ProxyProtocol) -> None:
    assert Reading(settings).receive(b"PROXY TCP4 nobody\r\n") == FAILED
    assert Reading(settings).receive(SIGNATURE + b"\xff\xff\xff\xff") == FAILED


@modes
def test_header_of_a_peer_that_may_not_send_one_is_reset_before_it_is_read(settings: ProxyProtocol) -> None:
    for beginning in (b"PROXY ", SIGNATURE):
        assert Reading(settings, trusted=False).receive(beginning) == FAILED
    assert Reading(settings, trusted=False).receive(v1()) == FAILED
    assert Reading(settings, trusted=False).receive(local()) == FAILED


def test_peer_that_needs_a_header_and_may_not_send_one_is_reset_at_once() -> None:
    reading = Reading(trusted=False)
    assert reading.reader.deadline == 1000.0
    assert reading.reader.handle_timer(1000.0) == FAILED
    assert Reading(OPTIONAL, trusted=False).reader.deadline == 1005.0


def test_peer_that_may_not_send_a_header_is_served_without_one() -> None:
    waiting = Reading(OPTIONAL, trusted=False)
    assert [waiting.receive(b"PROX"), waiting.receive(b"T")] == [(), BEGUN]
    assert Reading(OPTIONAL, trusted=False).receive(b"PING") == BEGUN


@modes
@pytest.mark.parametrize("trickled", [v1()[:-1], v2()[:-1], b"PROXY ", SIGNATURE], ids=repr)
def test_header_that_is_not_complete_in_time_is_reset(settings: ProxyProtocol, trickled: bytes) -> None:
    reading = Reading(settings)
    assert reading.reader.deadline == 1005.0
    assert reading.receive(*(bytes([byte]) for byte in trickled), at=1004.0) == ()
    assert reading.reader.deadline == 1005.0, "bytes do not move it"
    assert reading.reader.handle_timer(1004.9) == ()
    assert reading.reader.handle_timer(1005.0) == FAILED


@pytest.mark.parametrize("beginning", [b"", b"P", b"PROXY", SIGNATURE[:-1]])
def test_optional_header_is_awaited_for_its_timeout_and_then_the_client_is_served(beginning: bytes) -> None:
    reading = Reading(OPTIONAL)
    if beginning:
        assert reading.receive(beginning) == ()
    assert reading.reader.handle_timer(1004.9) == ()
    assert reading.reader.handle_timer(1005.0) == BEGUN
    assert reading.connection.told == [(None, beginning, False)]
    required = Reading()
    required.receive(beginning)
    assert required.reader.handle_timer(1005.0) == FAILED


def test_header_is_not_awaited_for_longer_than_the_lifetime() -> None:
    assert Reading(lifetime=2.0).reader.deadline == 1002.0


def test_peer_that_leaves_without_a_byte_is_closed_where_a_header_is_required() -> None:
    reading = Reading()
    assert reading.reader.receive_eof(1000.0) == (Close(CloseReason.PEER_EOF),)
    assert reading.reader.over
    assert reading.connection.told == []


@pytest.mark.parametrize("beginning", [b"P", b"PROXY TCP4", SIGNATURE])
def test_peer_that_leaves_within_the_header_is_reset(beginning: bytes) -> None:
    reading = Reading()
    reading.receive(beginning)
    assert reading.reader.receive_eof(1000.0) == FAILED


@pytest.mark.parametrize("beginning", [b"", b"PROXY"])
def test_client_that_sends_fin_where_a_header_is_optional_is_served(beginning: bytes) -> None:
    reading = Reading(OPTIONAL)
    if beginning:
        reading.receive(beginning)
    assert reading.reader.receive_eof(1000.0) == BEGUN
    assert reading.connection.told == [(None, beginning, True)]


def test_fin_within_an_optional_header_is_reset() -> None:
    reading = Reading(OPTIONAL)
    reading.receive(b"PROXY ")
    assert reading.reader.receive_eof(1000.0) == FAILED


def test_drain_closes_a_connection_that_has_sent_nothing() -> None:
    reading = Reading()
    assert reading.reader.drain(1000.0) == (HalfClose(),)
    assert reading.connection.layers == [reading.session]
    assert reading.session.connection_lost(CloseReason.PEER_RESET) == CloseReason.PEER_RESET
    assert reading.connection.told == []


def test_drain_within_a_header_waits_for_the_request_behind_it() -> None:
    reading = Reading()
    reading.receive(v1()[:5])
    assert reading.reader.drain(1000.0) == ()
    assert reading.connection.drains == 0
    assert reading.receive(v1()[5:] + b"PING") == BEGUN
    assert reading.connection.drains == 1
    undisturbed = Reading()
    undisturbed.receive(v1())
    assert undisturbed.connection.drains == 0


def test_rejected_connection_is_closed_in_order_by_its_session() -> None:
    reading = Reading()
    assert reading.reader.reject(CloseReason.SERVER_CLOSE) == (HalfClose(),)
    assert reading.session.awaits_fin
    assert reading.connection.layers == [reading.session]


def test_lost_connection_has_no_deadline_and_is_over() -> None:
    reading = Reading()
    assert reading.reader.connection_lost(CloseReason.PEER_RESET) == CloseReason.PEER_RESET
    assert reading.reader.deadline == inf
    assert reading.session.over


def test_clocks_of_the_session_begin_with_the_header() -> None:
    reading = Reading(idle_timeout=3.0, lifetime=100.0)
    reading.receive(v1(), at=1002.0)
    assert reading.connection.times == [1002.0]
    assert (reading.session.born, reading.session.active_at, reading.session.deadline) == (1000.0, 1002.0, 1005.0)
    short = Reading(idle_timeout=300.0, lifetime=4.0)
    short.receive(v1(), at=1002.0)
    assert short.session.deadline == 1004.0


def test_reader_has_the_face_of_a_session() -> None:
    reading = Reading()
    reader = reading.reader
    assert reader.wants_read
    assert not reader.has_connect_rules
    assert not reader.in_progress
    assert [reader.number, reader.awaits_flush, reader.wants_turn, reader.fin_noted] == [0, False, False, False]
    assert reader.born == 1000.0
    reader.recorder = recorder = object()  # type: ignore[assignment]
    assert reading.session.recorder is recorder is reader.recorder
