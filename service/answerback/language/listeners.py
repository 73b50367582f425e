"""A configuration and its listeners: what their fields may be."""

from answerback.language.fields import Field, Where, describe
from answerback.v1 import config_pb2 as v1

CONFIG = describe(
    v1.Config,
    Where.FILE,
    listeners=Field(
        'listeners: [{name: hello, address: "0.0.0.0:8000"}]',
        default="none",
        words="at most 256, with at most 10,000 rules in all",
    ),
    journal=Field(
        '{journal: {entries: 1000}, listeners: [{name: a, address: "127.0.0.1:8000"}]}', default="each its own"
    ),
)
LISTENER = describe(
    v1.Listener,
    Where.LISTENER,
    name=Field(
        "name: smtp-in", words="letters, digits, `.`, `_`, `-`, the first a letter or digit, at most 63; unique"
    ),
    address=Field(
        'address: "[::1]:2525"',
        words="not the address of another listener, nor a port of the server itself; "
        "how [Unix sockets](../guide.md#unix-sockets) differ from TCP",
    ),
    engine=Field("engine: COROUTINE", default="that of `serve --engine`"),
    framing=Field("framing: line", default="`read`"),
    rules=Field("rules: [{do: [echo]}]", default="none"),
    faults=Field("faults: [{latency: 100ms}]", default="none", words="at most 32"),
    limits=Field("limits: {lifetime: 1h}", default="see [Limits](#limits)"),
    accept=Field("accept: STALL", default="`NORMAL`"),
    journal=Field("journal: {enabled: false}", default="the configuration's `journal`"),
    upstream=Field("upstream: redis.example:6379", default="none"),
    proxy_protocol=Field("proxy_protocol: REQUIRED", default="no header"),
    toxiproxy=Field(
        """toxiproxy: '{"name": "redis"}'""",
        default="none",
        words="a JSON object with a `name`, unique, at most 64 KiB; see [Toxiproxy's clients](../how-to/toxiproxy.md)",
    ),
    tls=Field("tls: {cert: server.crt, key: server.key}", default="plain text"),
    random_seed=Field(
        "random_seed: 42",
        default="random",
        words="with one worker, the same seed and conversation give the same replies, delays and faults",
    ),
)
