from answerback.core.templates.errors import quoted, suggestion


def test_quoted_word_is_shortened_to_64_characters() -> None:
    assert quoted("x" * 64) == repr("x" * 64)
    assert quoted("x" * 65) == repr("x" * 64 + "…")


def test_similar_word_is_suggested() -> None:
    assert suggestion("Requset", ["request", "peer"]) == "; did you mean request?"
    assert suggestion("nothing", ["request", "peer"]) == ""
