"""Which listeners are drained."""

from answerback.supervisor.rollout.drained import DrainedListeners
from answerback.v1 import config_pb2 as v1

NAMES = ["a", "b"]
CONFIG = v1.Config(listeners=[v1.Listener(name=name, accept=v1.ACCEPT_HOLD) for name in NAMES])


def shut(*names: str) -> DrainedListeners:
    drained = DrainedListeners()
    for name in names:
        drained.announce(name)
        drained.close(name)
    return drained


def refusing(drained: DrainedListeners) -> list[str]:
    return [each.name for each in drained.applied(CONFIG).listeners if each.accept == v1.ACCEPT_REFUSE]


def test_drain_announced_is_not_yet_shut() -> None:
    drained = DrainedListeners()
    assert drained.announce("a")
    assert (drained.announced("a"), drained.shut("a"), refusing(drained)) == (True, False, [])
    assert not drained.announce("a")
    assert drained.close("a")
    assert not drained.close("a")
    assert (drained.shut("a"), drained.announced("b"), refusing(drained)) == (True, False, ["a"])


def test_drain_of_everything_includes_later_listeners() -> None:
    drained = shut("")
    assert drained.shut("yet to come")
    assert drained.everything([])
    assert refusing(drained) == NAMES
    assert drained.resume("", NAMES) == NAMES
    assert not drained.announced("a")


def test_all_listeners_drained_one_by_one_is_everything_drained() -> None:
    drained = shut("a")
    assert not drained.everything(NAMES)
    drained.announce("b")
    assert drained.everything(NAMES)
    assert not DrainedListeners().everything([])


def test_resume_of_one_listener_after_drain_of_everything_leaves_the_others() -> None:
    drained = shut("")
    assert drained.resume("a", NAMES) == ["a"]
    assert refusing(drained) == ["b"]
    assert not drained.announced("yet to come")
    assert drained.resume("a", NAMES) == []


def test_drain_of_a_removed_listener_is_forgotten() -> None:
    drained = shut("a", "b")
    drained.keep(["b", "c"])
    assert not drained.announced("a")
    assert drained.shut("b")
    everything = shut("")
    everything.keep(["c"])
    assert everything.shut("c")


def test_drained_listeners_are_restored_from_saved() -> None:
    drained = shut("a")
    saved = drained.saved()
    drained.resume("", NAMES)
    drained.restore(saved)
    assert refusing(drained) == ["a"]


def test_drain_does_not_modify_the_configuration() -> None:
    before = CONFIG.SerializeToString(deterministic=True)
    shut("").applied(CONFIG)
    assert CONFIG.SerializeToString(deterministic=True) == before


def test_listener_is_not_announced_twice_while_everything_is_drained() -> None:
    drained = DrainedListeners()
    assert drained.announce("")
    assert not drained.announce("a")
    assert not shut("").announce("b")


def test_listener_drained_by_name_stays_drained_when_another_is_resumed() -> None:
    drained = shut("a")
    drained.announce("")  # announced, and not shut yet
    assert drained.resume("b", NAMES) == ["b"]
    assert refusing(drained) == ["a"]
    drained = shut("")
    drained.announce("a")  # which is shut with all
    drained.resume("b", NAMES)
    assert refusing(drained) == ["a"]
