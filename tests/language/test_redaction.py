"""Private keys in a configuration: what is shown in their place, and how that becomes the key again."""

from answerback.language.redaction import MARK, redacted, redacted_listener, restore, substitute
from answerback.v1 import config_pb2 as v1
from answerback.v1 import options_pb2


def config(own: str, named: str, upstream: str) -> v1.Config:
    tls = v1.Tls(key_pem=own, sni=[v1.Tls.Sni(key_pem=named)])
    first = v1.Listener(name="first", tls=tls, upstream=v1.Upstream(tls=v1.UpstreamTls(key_pem=upstream)))
    return v1.Config(listeners=[first, v1.Listener(name="without")])


def test_every_key_is_replaced_and_the_given_configuration_stays() -> None:
    given = config("a", "b", "c")
    shown = redacted(given)
    assert given == config("a", "b", "c")
    assert shown == config(substitute("a"), substitute("b"), substitute("c"))
    assert redacted_listener(given.listeners[0]) == shown.listeners[0]
    assert redacted(shown) == shown


def test_every_field_that_the_schema_marks_is_replaced() -> None:
    """A key that is added to the schema is added to `holders_of` too."""
    kinds = (v1.Tls, v1.Tls.Sni, v1.UpstreamTls)
    marked = {
        field.full_name
        for kind in v1.DESCRIPTOR.message_types_by_name.values()
        for message in (kind, *kind.nested_types)
        for field in message.fields
        if field.GetOptions().Extensions[options_pb2.secret]
    }
    assert marked == {f"{kind.DESCRIPTOR.full_name}.key_pem" for kind in kinds}


def test_configuration_without_keys_is_not_copied() -> None:
    given = v1.Config(listeners=[v1.Listener(name="a", tls=v1.Tls(key="a.key"))])
    assert redacted(given) is given
    assert redacted_listener(given.listeners[0]) is given.listeners[0]


def test_what_is_shown_tells_keys_apart_and_says_nothing_of_them() -> None:
    assert substitute("key one") != substitute("key two")
    assert substitute("key one") == substitute("key one")
    assert "one" not in substitute("key one")
    assert substitute("key one").startswith(MARK)


def test_what_was_shown_becomes_the_active_key_again_wherever_it_is() -> None:
    active = config("a", "b", "c")
    moved = redacted(config("c", "a", "new"))
    moved.listeners[0].upstream.tls.key_pem = "new"
    restore(moved, active)
    assert moved == config("c", "a", "new")


def test_unknown_key_stays_redacted() -> None:
    shown = redacted(config("x", "b", "c"))
    restore(shown, config("a", "b", "c"))
    assert shown == config(substitute("x"), "b", "c")
