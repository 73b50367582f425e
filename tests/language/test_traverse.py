from answerback.language.traverse import messages
from tests.language.configurations import rule


def test_traversal_yields_each_message_with_its_path_in_order() -> None:
    config = rule("when: {all: [a, {not: b}]}, do: [delay: 1s, send: hi]")
    assert [path for path, _ in messages(config)] == [
        "",
        "listeners[0]",
        "listeners[0].rules[0]",
        "listeners[0].rules[0].when",
        "listeners[0].rules[0].when.all",
        "listeners[0].rules[0].when.all.of[0]",
        "listeners[0].rules[0].when.all.of[0].equals",
        "listeners[0].rules[0].when.all.of[1]",
        "listeners[0].rules[0].when.all.of[1].not",
        "listeners[0].rules[0].when.all.of[1].not.equals",
        "listeners[0].rules[0].do[0]",
        "listeners[0].rules[0].do[0].delay",
        "listeners[0].rules[0].do[0].delay.fixed",
        "listeners[0].rules[0].do[1]",
        "listeners[0].rules[0].do[1].send",
    ]
