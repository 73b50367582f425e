"""Random numbers and bytes."""

from answerback.core.expressions import Reads, Type
from answerback.core.expressions.functions import chance
from answerback.language.expressions.functions.base import Function, N, Parameter, register

register(
    Function(
        "randint",
        (Parameter("a", Type.INT), Parameter("b", Type.INT)),
        Type.INT,
        "a random number from `a` to `b`, both included; the same `random_seed` gives the same numbers",
        "randint(1, 6)",
        "3",
        chance.randint,
        reads=Reads.CHANCE,
    ),
    Function(
        "random",
        (N,),
        Type.BYTES,
        "this number of random bytes",
        "hex(random(4))",
        "38b4e652",
        chance.random,
        reads=Reads.CHANCE,
    ),
    Function(
        "uuid",
        (),
        Type.BYTES,
        "a random UUID, version 4",
        "uuid()",
        "6513270e-269e-4d37-b2a7-4de452e6b438",
        chance.uuid,
        reads=Reads.CHANCE,
    ),
)
