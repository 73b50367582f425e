"""Shared by the tests of the language: short configurations."""

from collections.abc import Sequence
from pathlib import Path

from google.protobuf.message import Message

from answerback.document.document import load
from answerback.internal.v1 import link_pb2
from answerback.language.check import check
from answerback.language.problems import Problem
from answerback.language.rules import rule_key
from answerback.v1 import config_pb2 as v1

_FOLDER = Path(__file__).parents[2] / "service/answerback/examples"
CONVERSATIONS = {path.stem: path.read_text() for path in sorted(_FOLDER.glob("*.yaml"))}
HELLO = CONVERSATIONS["hello"]
AGENT_CHECK = CONVERSATIONS["agent-check"]

# Every field that there is, each at least once.
WHOLE = """\
listeners:
  - name: first
    address: 127.0.0.1:7001
    engine: callback
    framing: {line: {keep_ending: true}}
    accept: NORMAL
    random_seed: 0
    proxy_protocol: {mode: REQUIRED, from: [10.0.0.0/8], timeout: 1s}
    tls:
      cert: server.crt
      key: server.key
      client_ca: ca.crt
      client_certificate: OPTIONAL
      min_version: TLS_1_3
      ciphers: ECDHE+AESGCM
      alpn: [h2, http/1.1]
      handshake_timeout: 3s
      start: ON_STEP
      sni: [{name: "*.b.test", cert: b.crt, key: b.key}]
    rules:
      - name: greeting
        event: CONNECT
        when: {not: {peer: 10.0.0.0/8}}
        do: [send: "hi\\r\\n"]
      - when: PING
        do: [send: {hex: "2b 50 4f 4e 47"}, send: {base64: AA==}, delay: 1m30s, echo, discard, reset]
      - when: {all: [{prefix: a}, {suffix: {base64: eg==}}, {not: {contains: {hex: "00"}}}]}
        do: [send: {file: reply.bin}]
      - when: {any: [{regex: "^[0-9]+$"}, {equals: {text: quit, ignore_case: true}}]}
        do: [close]
      - {when: {size: {min: 1, max: 2}}, do: [half_close]}
      - {when: STARTTLS, do: [start_tls]}
      - {when: {prefix: {file: end.bin}}}
      - {when: {bytes: {offset: 2, equals: {text: "a"}, mask: {base64: Dw==}}}, do: [hang]}
      - {when: {request_number: {max: 3}}, do: [dribble: {payload: abc, chunks: 2, gap: 10ms}]}
      - when: {regex: "^set (?P<name>.*)$"}
        in_states: ["", ready]
        times: 2
        scope: CONNECTION
        do:
          - dribble: {payload: {template: "${name}$$"}, size: 1, gap: 0}
          - set: {name: last, value: {template: "${name}"}}
          - state: ready
      - name: turns
        scope: LISTENER
        replies: {of: [[echo], {do: [close]}, []], then: RANDOM, weights: [1, 0.5, 0]}
      - {event: IDLE, replies: {of: [[hang: {ignore_fin: true}]], then: REPEAT_LAST}}
      - {event: EOF, replies: {of: [[]], then: CYCLE}}
      - {event: TICK, interval: 200ms, do: [send: beat]}
      - {event: LIMIT, do: [send: "too many", close]}
      - {event: DRAIN, replies: {of: [[]], then: NEXT_RULE}}
      - do:
          - delay: {uniform: {min: 1ms, max: 2ms}}
          - delay: {normal: {mean: 10ms, deviation: 2ms}}
          - delay: {lognormal: {median: 10ms, sigma: 0.5, max: 1s}}
          - delay: {exponential: {mean: 10ms, max: 1s}}
    faults:
      - {name: late, probability: 0.5, target: CONNECTION, scope: PEER, skip: 1, times: 2, every: 3, latency: 10ms}
      - {name: temporary, expire_time: 2099-11-29T06:00:00.5Z, drop: {}}
      - {target: REPLY, bandwidth: {bytes_per_second: 1000}}
      - slice: {size: 10, variation: 5, gap: 1ms}
      - truncate: {bytes: 100, reset: true}
      - hang: {after: 1s, ignore_fin: true}
      - reset: {after: 1s}
      - slow_close: {delay: {exponential: {mean: 1s}}}
      - corrupt: {bytes: 2}
      - drop
    limits:
      max_connections: 10
      max_connections_per_peer: 2
      idle_timeout: 1.5s
      request_timeout: 300ms
      write_timeout: 0
      lifetime: 1h
      max_request_bytes: 4096
  - name: second
    address: "[::1]:0"
    engine: ENGINE_COROUTINE
    framing: read
    rules:
      - do:
          - framing: {read: {max_bytes: 10}}
          - framing: {delimiter: {end: {file: end.bin}, keep: true}}
          - framing: {delimiter: {end: {hex: "0a"}}}
          - framing: {pattern: {end: "\\r?\\n"}}
          - framing: {fixed: {size: 4}}
          - framing: {fixed: {size_from: "int(request)"}}
          - receive:
              framing: {length_prefix: {offset: 1, width: 2, encoding: LITTLE_ENDIAN, adjust: -2, strip: true}}
              into: v
          - receive: {framing: {fixed: {size_from: "be(vars.v) + 2"}}, into: w}
          - receive: {framing: line, expect: {regex: "^[a-z]+$"}}
          - framing: {length_prefix: {encoding: DECIMAL, until: ":"}}
          - framing: {idle: {gap: 50ms}}
          - framing: until_eof
          - framing: http
          - framing: {http: {head_first: true}}
          - framing: resp
          - framing: {dot_stuffed: {keep: true}}
          - framing: websocket
          - respond: {status: 200, headers: [{name: X-Y, value: {template: "${request_number}"}}], body: ok}
  - name: third
    address: 127.0.0.1:7003
    framing: resp
    upstream:
      framing: resp
      max_reply_bytes: 100000
      address: redis.example:6379
      connect_timeout: 300ms
      connect: ON_FORWARD
      proxy_protocol: V2
      tls: {ca: ca.crt, server_name: a.test, verify: CA, cert: c.crt, key: c.key, min_version: TLS_1_3, alpn: [h2]}
    rules:
      - {when: KEYS, do: [forward]}
      - {event: UPSTREAM_DOWN, do: [send: {template: "${upstream.error}"}]}
      - {event: REPLY, when: {prefix: ">"}, extra: true, do: [forward]}
      - {event: REPLY, when: {expr: "request == 'x'"}, do: [send: {template: "${reply}"}]}
  - name: fourth
    address: 127.0.0.1:7004
    tls:
      cert_pem: "-----BEGIN"
      key_pem: |
        -----BEGIN
      client_ca_pem: "a\\n"
      sni: [{name: c.test, cert_pem: c, key_pem: k}]
    upstream: {address: "redis.example:6380", tls: {ca_pem: a, cert_pem: c, key_pem: k}}
"""


WHOLE_FILES = {"reply.bin": b"from a file", "end.bin": b"\0"}


def listener(text: str = "", **fields: str) -> v1.Config:
    """A configuration of one listener; the text is YAML of more of its fields, indented as the listener is not."""
    lines = [f"{name}: {value}" for name, value in {"name": "it", "address": "127.0.0.1:0", **fields}.items()]
    block = "\n".join([*lines, *text.splitlines()])
    document = load("listeners:\n  - " + block.replace("\n", "\n    "))
    assert document.problems == ()
    return document.config


def rule(text: str) -> v1.Config:
    """A configuration of one rule, in YAML's flow style: `when: PING, do: [echo]`."""
    return listener(f"rules: [{{{text}}}]")


def said(problems: Sequence[Problem]) -> list[str]:
    """Problems as tests compare them."""
    return [f"{problem.path}: {problem.message}" for problem in problems]


def problems_of(text: str) -> list[str]:
    """All problems of a text, as a user reads them."""
    document = load(text)
    return [str(each) for each in (*document.problems, *document.located(check(document.config, {})))]


def members(message: Message) -> str:
    """What a choice is between, in words."""
    *others, last = (field.name for field in message.DESCRIPTOR.oneofs[0].fields)
    return f"{', '.join(others)}, {last}"


def places(config: v1.Config) -> dict[str, link_pb2.ListenerLayout]:
    """Places as a supervisor gives them: the listener's block at 1000 by 1000, its rules behind it."""
    return {
        each.name: link_pb2.ListenerLayout(
            listener=each.name,
            block=1000 * index,
            rules=[1000 * index + 500 + number for number, rule in enumerate(each.rules) if rule_key(rule, number)],
            socket=f"socket {index}",
            counters=[1000 * index + 800 + number for number in range(len(each.rules))],
            unexpected=[1000 * index + 900 + number for number in range(len(each.rules))],
            faults=[1000 * index + 600 + number for number in range(len(each.faults))],
            fault_counters=[1000 * index + 700 + 2 * number for number in range(len(each.faults))],
        )
        for index, each in enumerate(config.listeners)
    }


def wrong_in(text: str) -> list[str]:
    """What is wrong with a rule; the path is that within the rule."""
    return [line.removeprefix("listeners[0].rules[0].") for line in said(check(rule(text), {}))]
