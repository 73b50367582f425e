from answerback.core.counting import take


def test_bounded_counter_gives_numbers_in_order_up_to_its_maximum() -> None:
    counts: dict[str, int] = {}
    assert [take(counts, "a", 2) for _ in range(4)] == [0, 1, None, None]
    assert [take(counts, "b", 0) for _ in range(4)] == [0, 1, 2, 3]
    assert counts == {"a": 2, "b": 4}
