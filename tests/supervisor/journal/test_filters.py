"""Which records a filter takes."""

import pytest

from answerback.shared.counters import CounterLayout
from answerback.shared.journal.layout import State
from answerback.shared.journal.records import ConnectionKey
from answerback.supervisor.journal.exchanges import Names
from answerback.supervisor.journal.filters import Filter, Query


def compiled(query: Query) -> Filter:
    return Filter(query, Names(CounterLayout()), frozenset())


@pytest.mark.parametrize(
    "peer, host, port, fits",
    [
        ("192.0.2.1", "192.0.2.1", 4000, True),
        ("192.0.2.1", "192.0.2.11", 4000, False),
        ("192.0.2.1:4000", "192.0.2.1", 4000, True),
        ("192.0.2.1:4000", "192.0.2.1", 4001, False),
        ("192.0.2.1:4000", "192.0.2.2", 4000, False),
        ("::1", "::1", 4000, True),
        ("[::1]", "::1", 4000, True),
        ("::1", "::2", 4000, False),
        ("[::1]:4000", "::1", 4000, True),
        ("[::1]:4000", "::1", 1, False),
        ("[::1]:4000", "::2", 4000, False),
    ],
)
def test_peer_is_an_address_with_or_without_a_port(peer: str, host: str, port: int, fits: bool) -> None:
    assert compiled(Query(peer=peer)).is_peer(ConnectionKey(7, 0, 1, port, 0, host)) is fits


@pytest.mark.parametrize(
    "query, follows",
    [
        (Query(), False),
        (Query(unmatched=True), False),
        (Query(state=State.DONE), True),
        (Query(faulted=True), True),
    ],
)
def test_filter_by_what_is_known_at_the_end_follows_records_in_progress(query: Query, follows: bool) -> None:
    assert compiled(query).follows_state is follows
