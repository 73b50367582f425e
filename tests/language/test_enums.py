"""Every enum of the core has its value in the schema, and back."""

import pytest

from answerback.core.plan import Accept, Engine
from answerback.language.enums import ACCEPT_VALUES, ENGINE_VALUES, accept_of, engine_named, engine_of
from answerback.v1 import config_pb2 as v1


def test_every_engine_and_accept_mode_has_its_value() -> None:
    assert set(ENGINE_VALUES) == set(Engine)
    assert set(ACCEPT_VALUES) == set(Accept)
    assert {*ENGINE_VALUES.values(), v1.ENGINE_UNSPECIFIED} == set(v1.Engine.values())
    assert {*ACCEPT_VALUES.values(), v1.ACCEPT_UNSPECIFIED} == set(v1.Accept.values())


@pytest.mark.parametrize("engine", Engine)
def test_an_engine_survives_the_way_there_and_back(engine: Engine) -> None:
    listener = v1.Listener(engine=ENGINE_VALUES[engine])
    assert all(engine_of(listener, default) is engine for default in Engine)
    assert engine_named(ENGINE_VALUES[engine]) is engine
    assert engine_of(v1.Listener(), engine) is engine


@pytest.mark.parametrize("accept", Accept)
def test_an_accept_mode_survives_the_way_there_and_back(accept: Accept) -> None:
    assert accept_of(v1.Listener(accept=ACCEPT_VALUES[accept])) is accept


def test_unless_given_a_listener_accepts() -> None:
    assert accept_of(v1.Listener()) is Accept.NORMAL
