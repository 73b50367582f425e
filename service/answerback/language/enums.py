"""The enums of the schema and those of the core, in both directions."""

from collections.abc import Mapping
from typing import Final

from answerback.core.bounded_counter import CountedFor
from answerback.core.plan import Accept, Engine
from answerback.v1 import config_pb2 as v1

# Rule: nothing else maps these enums.

ENGINE_VALUES: Final[Mapping[Engine, "v1.Engine.ValueType"]] = {
    Engine.CALLBACK: v1.ENGINE_CALLBACK,
    Engine.COROUTINE: v1.ENGINE_COROUTINE,
}
ACCEPT_VALUES: Final[Mapping[Accept, "v1.Accept.ValueType"]] = {
    Accept.NORMAL: v1.ACCEPT_NORMAL,
    Accept.REFUSE: v1.ACCEPT_REFUSE,
    Accept.STALL: v1.ACCEPT_STALL,
    Accept.CLOSE: v1.ACCEPT_CLOSE,
    Accept.RESET: v1.ACCEPT_RESET,
    Accept.HOLD: v1.ACCEPT_HOLD,
}

_SCOPES: Final[Mapping[int, CountedFor]] = {
    v1.SCOPE_LISTENER: CountedFor.LISTENER,
    v1.SCOPE_CONNECTION: CountedFor.CONNECTION,
    v1.SCOPE_PEER: CountedFor.PEER,
}
_ENGINES: Final[Mapping[int, Engine]] = {value: engine for engine, value in ENGINE_VALUES.items()}
_ACCEPTS: Final[Mapping[int, Accept]] = {value: accept for accept, value in ACCEPT_VALUES.items()}


def engine_of(listener: v1.Listener, default: Engine) -> Engine:
    """The engine of a listener's connections."""
    return _ENGINES.get(listener.engine, default)


def engine_named(value: int) -> Engine:
    """The engine of a value; CALLBACK for none."""
    return _ENGINES.get(value, Engine.CALLBACK)


def counted_for(scope: int, default: CountedFor = CountedFor.LISTENER) -> CountedFor:
    """What a counter with this scope counts for; the default for none."""
    return _SCOPES.get(scope, default)


def accept_of(listener: v1.Listener) -> Accept:
    """The accept mode of a listener."""
    return _ACCEPTS.get(listener.accept, Accept.NORMAL)
