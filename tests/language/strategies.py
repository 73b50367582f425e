"""Random configurations, for Hypothesis."""

import re

from google.protobuf.duration_pb2 import Duration
from hypothesis import settings
from hypothesis import strategies as st

from answerback.language.traverse import messages
from answerback.v1 import config_pb2 as v1

few = settings(max_examples=30)  # whole configurations take longest to make

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True)
booleans = st.booleans()


def durations(most: int) -> st.SearchStrategy[Duration]:
    return st.builds(Duration, seconds=st.integers(0, most - 1), nanos=st.integers(0, 10**9 - 1)) | st.sampled_from(
        [Duration(), Duration(seconds=1), Duration(nanos=300_000_000), Duration(seconds=90), Duration(nanos=1)]
    )


def _hex(data: bytes) -> str:
    return data.hex(" ")


templates = st.sampled_from(["", "$$", "${request[0:4]}", "é${vars.x}", "${u16be(len(request))}${now('%H')}"])
payloads = st.one_of(
    st.builds(v1.Payload, text=texts),
    st.builds(v1.Payload, hex=st.binary(max_size=8).map(_hex)),
    st.builds(v1.Payload, template=templates),
)
some_bytes = st.one_of(
    st.builds(v1.Bytes, text=st.text("aé\n\x00", min_size=1, max_size=4)),
    st.builds(v1.Bytes, hex=st.binary(min_size=1, max_size=8).map(_hex)),
)
literals = st.one_of(
    st.builds(v1.Literal, text=texts, ignore_case=booleans),
    st.builds(v1.Literal, hex=st.binary(max_size=8).map(_hex), ignore_case=booleans),
)
regexes = st.sampled_from(["", "^a", r"(?i)\xff[0-9]+", "é|ü", "(?P<name>.*)$"])


def _not(match: v1.Match) -> v1.Match:
    return v1.Match(**{"not": match})  # type: ignore[arg-type]


def _range(least: int) -> st.SearchStrategy[v1.Match.Range]:
    ends = st.lists(st.integers(least, (1 << 64) - 1), min_size=2, max_size=2).map(sorted)
    return st.one_of(
        ends.map(lambda two: v1.Match.Range(min=two[0], max=two[1])),
        st.builds(v1.Match.Range, min=st.integers(0, 9)),
        st.builds(v1.Match.Range, max=st.integers(least, 9)),
    )


def _slice(offset: int, data: bytes, mask: bytes | None) -> v1.Match.Slice:
    masked = None if mask is None else v1.Bytes(hex=mask[: len(data)].hex())
    return v1.Match.Slice(offset=offset, equals=v1.Bytes(hex=data.hex()), mask=masked)


slices = st.builds(
    _slice,
    st.integers(0, 64 << 20),
    st.binary(min_size=1, max_size=4),
    st.binary(min_size=4, max_size=4) | st.none(),
)
peers = st.sampled_from(["192.0.2.7", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8"])


def _combined(inner: st.SearchStrategy[v1.Match]) -> st.SearchStrategy[v1.Match]:
    lists = st.builds(v1.Match.List, of=st.lists(inner, min_size=1, max_size=3))
    apart = lists.filter(lambda given: str(given).count("?P<name>") <= 1)  # no two groups of one name
    return st.one_of(st.builds(v1.Match, all=apart), st.builds(v1.Match, any=lists), inner.map(_not))


conditions = st.sampled_from(["request != 'a'", "len(request) % 2 == 0", "state == 'x' or peer.port > 9"])
peer_matches = st.recursive(st.builds(v1.Match, peer=peers), _combined, max_leaves=3)
matches = st.recursive(
    st.one_of(
        st.builds(v1.Match, equals=literals),
        st.builds(v1.Match, prefix=literals),
        st.builds(v1.Match, suffix=literals),
        st.builds(v1.Match, contains=literals),
        st.builds(v1.Match, regex=regexes),
        st.builds(v1.Match, size=_range(0)),
        st.builds(v1.Match, bytes=slices),
        st.builds(v1.Match, peer=peers),
        st.builds(v1.Match, request_number=_range(1)),
        st.builds(
            v1.Match, expr=st.sampled_from(["request != 'a'", "len(request) % 2 == 0", "state == 'x' or peer.port > 9"])
        ),
    ),
    _combined,
    max_leaves=5,
)
most_bytes = 64 << 20
prefixes = st.builds(
    v1.Framing.LengthPrefix,
    offset=st.integers(0, 65535),
    width=st.integers(1, 8),
    encoding=st.sampled_from(["ENCODING_BIG_ENDIAN", "ENCODING_LITTLE_ENDIAN", "ENCODING_DECIMAL", "ENCODING_HEX"]),
    adjust=st.integers(-most_bytes, most_bytes),
    strip=booleans,
)
other_prefixes = st.one_of(
    st.builds(
        v1.Framing.LengthPrefix,
        encoding=st.sampled_from(["ENCODING_DECIMAL", "ENCODING_HEX"]),
        until=st.sampled_from([v1.Bytes(text=":"), v1.Bytes(hex="ff")]),
        strip=booleans,
    ),
    st.builds(v1.Framing.LengthPrefix, encoding=st.sampled_from(["ENCODING_VARINT", "ENCODING_BER"]), strip=booleans),
)
patterns = st.sampled_from([r"\n", "\x0110=[0-9]{3}\x01", "[é]", "(?P<end>a+)b"])
framings = st.one_of(
    st.builds(v1.Framing, read=st.builds(v1.Framing.Read, max_bytes=st.integers(1, 1 << 20) | st.none())),
    st.builds(v1.Framing, line=st.builds(v1.Framing.Line, keep_ending=booleans)),
    st.builds(v1.Framing, delimiter=st.builds(v1.Framing.Delimiter, end=some_bytes, keep=booleans)),
    st.builds(v1.Framing, pattern=st.builds(v1.Framing.Pattern, end=patterns)),
    st.builds(v1.Framing, fixed=st.builds(v1.Framing.Fixed, size=st.integers(1, most_bytes))),
    st.builds(v1.Framing, length_prefix=prefixes | other_prefixes),
    st.builds(
        v1.Framing,
        idle=st.builds(v1.Framing.Idle, gap=durations(3600).filter(lambda given: bool(given.seconds or given.nanos))),
    ),
    st.sampled_from(
        [
            v1.Framing(until_eof=v1.Framing.UntilEof()),
            v1.Framing(http=v1.Framing.Http()),
            v1.Framing(http=v1.Framing.Http(head_first=True)),
            v1.Framing(resp=v1.Framing.Resp()),
            v1.Framing(dot_stuffed=v1.Framing.DotStuffed()),
            v1.Framing(websocket=v1.Framing.WebSocket()),
            v1.Framing(dot_stuffed=v1.Framing.DotStuffed(keep=True)),
        ]
    ),
)
sizes = st.sampled_from(["0", "int(request)", "be(request[0:2]) + 1", "le(vars.x) if len(vars.x) < 8 else 3"])
step_framings = framings | st.builds(v1.Framing, fixed=st.builds(v1.Framing.Fixed, size_from=sizes))
variables = st.from_regex("[A-Za-z_][A-Za-z0-9_-]{0,10}", fullmatch=True)
expectations = st.builds(v1.Match, equals=literals) | st.builds(v1.Match, prefix=literals)
gaps = durations(3600)
dribbles = st.one_of(
    st.builds(v1.Step.Dribble, payload=payloads, gap=gaps, chunks=st.integers(1, 65_536)),
    st.builds(v1.Step.Dribble, payload=payloads, gap=gaps, size=st.integers(1, 16 << 20)),
)
times = durations(3600)
some_time = times.filter(lambda given: bool(given.seconds or given.nanos))
delays = st.one_of(
    st.builds(v1.Delay, fixed=times),
    st.builds(v1.Delay, uniform=st.builds(v1.Delay.Uniform, max=times)),
    st.builds(v1.Delay, normal=st.builds(v1.Delay.Normal, mean=times, deviation=times)),
    st.builds(
        v1.Delay,
        lognormal=st.builds(
            v1.Delay.Lognormal, median=some_time, sigma=st.floats(0, 10, exclude_min=True), max=times | st.none()
        ),
    ),
    st.builds(v1.Delay, exponential=st.builds(v1.Delay.Exponential, mean=some_time, max=times | st.none())),
)
steps = st.one_of(
    st.builds(v1.Step, send=payloads),
    st.builds(v1.Step, delay=delays),
    st.builds(v1.Step, dribble=dribbles),
    st.builds(v1.Step, state=texts),
    st.builds(v1.Step, set=st.builds(v1.Step.Set, name=variables, value=payloads)),
    st.builds(v1.Step, framing=step_framings),
    st.builds(
        v1.Step,
        receive=st.builds(v1.Step.Receive, framing=step_framings, into=variables, expect=st.none() | expectations),
    ),
    st.sampled_from(
        [
            v1.Step(echo=v1.Step.Echo()),
            v1.Step(discard=v1.Step.Discard()),
            v1.Step(close=v1.Step.Close()),
            v1.Step(half_close=v1.Step.HalfClose()),
            v1.Step(reset=v1.Step.Reset()),
            v1.Step(hang=v1.Step.Hang()),
            v1.Step(hang=v1.Step.Hang(ignore_fin=True)),
        ]
    ),
)
scripts = st.lists(steps, max_size=4)
turns = st.sampled_from(v1.Replies.Then.values()[:4])


@st.composite
def replies(draw: st.DrawFn) -> v1.Replies:
    of = draw(st.lists(st.builds(v1.Script, do=scripts), min_size=1, max_size=3))
    if draw(booleans):
        return v1.Replies(of=of, then=draw(turns))
    weights = draw(st.lists(st.floats(0.001, 1e300), min_size=len(of), max_size=len(of)) | st.just([]))
    return v1.Replies(of=of, then=v1.Replies.THEN_RANDOM, weights=weights)


OF_UPSTREAM = (v1.EVENT_UPSTREAM_DOWN, v1.EVENT_REPLY)


@st.composite
def rules(draw: st.DrawFn) -> v1.Rule:
    event = draw(st.sampled_from([event for event in v1.Event.values() if event not in OF_UPSTREAM]))
    rule = v1.Rule(
        event=event,
        when=draw((matches if event in {0, v1.EVENT_REQUEST} else peer_matches) | st.none()),
        in_states=draw(st.lists(texts, max_size=2)),
        times=draw(st.integers(0, (1 << 64) - 1)),
        scope=draw(st.sampled_from(v1.Scope.values())),
    )
    if event == v1.EVENT_TICK:
        rule.interval.CopyFrom(draw(some_time.filter(lambda given: given.seconds > 0)))
    if event == v1.EVENT_LIMIT:
        rule.do.extend(draw(st.lists(st.builds(v1.Step, send=payloads), max_size=2)))
    elif draw(booleans):
        rule.do.extend(draw(scripts))
    else:
        rule.replies.CopyFrom(draw(replies()))
    if (rule.times or rule.HasField("replies")) and draw(booleans):
        rule.per.CopyFrom(draw(some_time))
    return rule if event in {0, v1.EVENT_REQUEST} else _without_request(rule)


def _without_request(rule: v1.Rule) -> v1.Rule:
    """The same, with a variable in place of the request."""
    for _, message in messages(rule, ""):
        if isinstance(message, v1.Payload) and message.template:
            message.template = re.sub(r"\brequest\b", "vars.x", message.template)
        elif isinstance(message, v1.Framing.Fixed) and message.size_from:
            message.size_from = re.sub(r"\brequest\b", "vars.x", message.size_from)
    return rule


whole = st.integers(0, (1 << 64) - 1)
effects = st.one_of(
    delays.map(lambda delay: {"latency": delay}),
    st.integers(1, (1 << 64) - 1).map(lambda rate: {"bandwidth": v1.Fault.Bandwidth(bytes_per_second=rate)}),
    st.builds(v1.Fault.Slice, size=st.integers(10, 16 << 20), variation=st.integers(0, 9), gap=times).map(
        lambda pieces: {"slice": pieces}
    ),
    st.builds(v1.Fault.Truncate, bytes=whole, reset=booleans).map(lambda truncate: {"truncate": truncate}),
    st.builds(v1.Fault.Hang, after=times | st.none(), ignore_fin=booleans).map(lambda hang: {"hang": hang}),
    st.builds(v1.Fault.Reset, after=times | st.none(), discard=booleans).map(lambda reset: {"reset": reset}),
    delays.map(lambda delay: {"slow_close": v1.Fault.SlowClose(delay=delay)}),
    st.builds(v1.Fault.Corrupt, bytes=st.integers(1, (1 << 32) - 1) | st.none()).map(lambda wrong: {"corrupt": wrong}),
    st.just({"drop": v1.Fault.Drop()}),
    st.builds(v1.Fault.Blackhole, close_after=times | st.none()).map(lambda blackhole: {"blackhole": blackhole}),
)


@st.composite
def faults(draw: st.DrawFn) -> v1.Fault:
    fault = v1.Fault(
        probability=draw(st.floats(0, 1) | st.none()),
        target=draw(st.sampled_from(v1.Fault.Target.values())),
        scope=draw(st.sampled_from(v1.Scope.values())),
        skip=draw(whole),
        times=draw(whole),
        every=draw(whole),
        **draw(effects),
    )
    if draw(booleans):
        fault.expire_time.FromNanoseconds(draw(st.integers(0, 9_000_000_000 * 10**9)))
    if fault.times and draw(booleans):
        fault.per.CopyFrom(draw(some_time))
    return fault


counts = st.integers(0, (1 << 32) - 1) | st.none()
timeouts = durations(8760 * 3600) | st.none()
limits = st.builds(
    v1.Limits,
    max_connections=counts,
    max_connections_per_peer=counts,
    idle_timeout=timeouts,
    request_timeout=timeouts,
    write_timeout=timeouts,
    lifetime=timeouts,
    max_request_bytes=st.integers(1, 64 << 20) | st.none(),
)


_paths = st.sampled_from(["a.pem", "/etc/tls/b.pem", "dir/c.pem"])
_pems = st.sampled_from(["-----BEGIN X-----\nAA==\n-----END X-----\n", "x", "redacted:0"])


def _in_the_configuration(tls: v1.Tls, pem: str) -> v1.Tls:
    """The same with the content of its files."""
    holders: list[v1.Tls | v1.Tls.Sni] = [tls, *tls.sni]
    for given in holders:
        given.cert_pem, given.key_pem = pem, pem
        given.ClearField("cert")
        given.ClearField("key")
    tls.client_ca_pem = pem
    tls.ClearField("client_ca")
    return tls


_tls_of_files = st.builds(
    v1.Tls,
    cert=_paths,
    key=_paths,
    client_ca=_paths,
    client_certificate=st.sampled_from(v1.Tls.ClientCertificate.values()),
    min_version=st.sampled_from(v1.Tls.Version.values()),
    start=st.sampled_from(v1.Tls.Start.values()),
    ciphers=st.sampled_from(["", "ECDHE+AESGCM", "DEFAULT@SECLEVEL=0"]),
    alpn=st.lists(st.sampled_from(["h2", "http/1.1"]), max_size=2),
    handshake_timeout=st.builds(Duration, seconds=st.integers(1, 3600)) | st.none(),
    sni=st.lists(
        st.builds(v1.Tls.Sni, name=st.sampled_from(["a.test", "*.b.test", "localhost"]), cert=_paths, key=_paths),
        max_size=2,
        unique_by=lambda each: each.name,
    ),
)
tls = _tls_of_files | st.builds(_in_the_configuration, _tls_of_files, _pems)
tls_faults = st.builds(
    v1.Fault,
    times=whole,
    tls=st.builds(v1.Fault.Tls, after=st.sampled_from(v1.Fault.Tls.Point.values()), stall=st.builds(v1.Fault.Tls.Stall))
    | st.builds(v1.Fault.Tls, alert=st.sampled_from(v1.Fault.Tls.Alert.values()[1:])),
)


@st.composite
def configs(draw: st.DrawFn) -> v1.Config:
    """Configurations that nothing is wrong with."""
    chosen = draw(st.lists(names, max_size=3, unique=True))
    secured = [draw(tls | st.none()) for _ in chosen]
    return v1.Config(
        listeners=[
            v1.Listener(
                name=name,
                address=draw(st.sampled_from(["127.0.0.1:{}", "[::1]:{}", "0.0.0.0:{}"])).format(7000 + index),
                engine=draw(st.sampled_from([v1.ENGINE_UNSPECIFIED, v1.ENGINE_CALLBACK, v1.ENGINE_COROUTINE])),
                framing=draw(framings | st.none()),
                rules=draw(st.lists(rules(), max_size=4)),
                faults=draw(st.lists(faults() if secured[index] is None else faults() | tls_faults, max_size=3)),
                limits=draw(limits | st.none()),
                random_seed=draw(st.integers(0, (1 << 64) - 1) | st.none()),
                tls=secured[index],
            )
            for index, name in enumerate(chosen)
        ]
    )
