"""A configuration and its listeners: what their fields may be."""

from answerback.language.fields import Field, Where, describe
from answerback.v1 import config_pb2 as v1

CONFIG = describe(
    v1.Config,
    Where.FILE,
    listeners=Field(
        'listeners: [{name: hello, address: "0.0.0.0:8000"}]',
        default="none",
        words="256 at most, with 10,000 rules in all",
    ),
)
LISTENER = describe(
    v1.Listener,
    Where.LISTENER,
    name=Field(
        "name: smtp-in", words="letters, digits, `.`, `_`, `-`, the first a letter or digit, 63 at most; unique"
    ),
    address=Field(
        'address: "[::1]:2525"',
        words="two listeners, or one and a port of the server itself, cannot share one",
    ),
    engine=Field("engine: COROUTINE", default="that of `serve --engine`"),
    framing=Field("framing: line", default="`read`"),
    rules=Field("rules: [{do: [echo]}]", default="none"),
    faults=Field("faults: [{latency: 100ms}]", default="none", words="32 at most"),
    limits=Field("limits: {lifetime: 1h}", default="each its own"),
    accept=Field("accept: STALL", default="`NORMAL`"),
    random_seed=Field(
        "random_seed: 42",
        default="at random",
        words="the same seed and conversation give the same replies, delays and faults, on one worker",
    ),
)
