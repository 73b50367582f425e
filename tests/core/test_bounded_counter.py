from answerback.core.bounded_counter import BoundedCounters


def test_each_counter_gives_out_consecutive_numbers_up_to_its_maximum() -> None:
    counters: BoundedCounters[str] = BoundedCounters()
    assert [counters.next_number("a", 2) for _ in range(4)] == [0, 1, None, None]
    assert [counters.next_number("b", 0) for _ in range(4)] == [0, 1, 2, 3]


def test_an_exhausted_counter_goes_on_once_its_maximum_is_higher() -> None:
    counters: BoundedCounters[int] = BoundedCounters()
    assert [counters.next_number(7, 1) for _ in range(3)] == [0, None, None]
    assert [counters.next_number(7, 3) for _ in range(3)] == [1, 2, None]


def test_window_begins_with_its_first_number_and_ends_after_its_time() -> None:
    now = 5.0
    counters: BoundedCounters[str] = BoundedCounters(lambda: now)
    assert [counters.next_number("a", 2, 10) for _ in range(3)] == [0, 1, None]
    now = 14.999
    assert counters.next_number("a", 2, 10) is None
    assert counters.next_number("b", 2, 10) == 0
    now = 15.0
    assert [counters.next_number("a", 2, 10) for _ in range(3)] == [0, 1, None]
    now = 20.0
    assert [counters.next_number("a", 2, 10), counters.next_number("b", 2, 10)] == [None, 1]
