"""Every enum of the core maps to the schema and back."""

import pytest

from answerback.core.plan import Accept, Engine
from answerback.language.enums import ACCEPT_VALUES, ENGINE_VALUES, accept_of, engine_named, engine_of
from answerback.v1 import config_pb2 as v1


def test_engines_and_accept_modes_map_to_every_enum_value() -> None:
    assert set(ENGINE_VALUES) == set(Engine)
    assert set(ACCEPT_VALUES) == set(Accept)
    assert {*ENGINE_VALUES.values(), v1.ENGINE_UNSPECIFIED} == set(v1.Engine.values())
    assert {*ACCEPT_VALUES.values(), v1.ACCEPT_UNSPECIFIED} == set(v1.Accept.values())


@pytest.mark.parametrize("engine", Engine)
def test_engine_survives_a_round_trip(engine: Engine) -> None:
    listener = v1.Listener(engine=ENGINE_VALUES[engine])
    assert all(engine_of(listener, default) is engine for default in Engine)
    assert engine_named(ENGINE_VALUES[engine]) is engine
    assert engine_of(v1.Listener(), engine) is engine


@pytest.mark.parametrize("accept", Accept)
def test_accept_mode_survives_a_round_trip(accept: Accept) -> None:
    assert accept_of(v1.Listener(accept=ACCEPT_VALUES[accept])) is accept


def test_listener_without_accept_mode_is_normal() -> None:
    assert accept_of(v1.Listener()) is Accept.NORMAL
