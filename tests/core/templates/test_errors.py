from answerback.core.templates.errors import quoted, suggestion


def test_a_word_is_quoted_up_to_64_characters() -> None:
    assert quoted("x" * 64) == repr("x" * 64)
    assert quoted("x" * 65) == repr("x" * 64 + "…")


def test_a_close_word_is_suggested_and_a_distant_one_is_not() -> None:
    assert suggestion("Requset", ["request", "peer"]) == "; did you mean request?"
    assert suggestion("nothing", ["request", "peer"]) == ""
