"""`http` and `respond` against curl and Python's http.client."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_programs import output

pytestmark = pytest.mark.programs

HOST = "127.0.0.1"
CONFIG = r"""
listeners:
  - name: callback
    address: 127.0.0.1:PORT
    framing: http
    rules: &rules
      - when: {prefix: "GET /absent "}
        do: [respond: 404]
      - when: {prefix: "GET /none "}
        do: [respond: 204]
      - when: {prefix: "GET /moved "}
        do: [respond: {status: 302, headers: [{name: Location, value: /}]}]
      - when: {prefix: "GET /last "}
        do: [respond: {status: 200, body: last}, close]
      - do: [respond: {status: 200, headers: [{name: Content-Type, value: text/plain}], body: "Hello, World!"}]
  - name: coroutine
    address: 127.0.0.1:0
    engine: COROUTINE
    framing: http
    rules: *rules
  - name: head-first
    address: 127.0.0.1:1
    framing: {http: {head_first: true}}
    rules:
      - when: {prefix: "PUT /refused "}
        do: [respond: {status: 413, body: too large}, close]
      - when: {prefix: "PUT "}
        do: [state: body]
      - in_states: [body]
        do: [respond: {status: 201, body: stored}, state: ""]
      - do: [respond: {status: 200, body: head}]
"""


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """One server for all of these tests: the ports of its listeners."""
    found = {name: free_port() for name in ("callback", "coroutine", "head-first")}
    config = CONFIG.replace("127.0.0.1:0", f"{HOST}:{found['coroutine']}").replace(
        "127.0.0.1:1\n", f"{HOST}:{found['head-first']}\n"
    )
    server = RunningServer(found["callback"], free_port(), free_port())
    with serving(server, config.replace("PORT", str(server.port)), tmp_path_factory.mktemp("http")):
        yield found


both_engines = pytest.mark.parametrize("engine", ["callback", "coroutine"])


def curl(port: int, *options: str, path: str = "/") -> str:
    return output("curl", "-sS", *options, f"http://{HOST}:{port}{path}")


@both_engines
def test_curl_uses_one_connection_for_several_responses(ports: dict[str, int], engine: str) -> None:
    base = f"http://{HOST}:{ports[engine]}"
    said = output(
        "curl", "-sS", "-w", "%{http_code} %{num_connects};", f"{base}/absent", f"{base}/none", f"{base}/last", base
    )
    assert said == "404 1;204 0;last200 0;Hello, World!200 1;"


@both_engines
def test_curl_follows_a_redirect_that_respond_sends(ports: dict[str, int], engine: str) -> None:
    assert curl(ports[engine], "-L", path="/moved") == "Hello, World!"


@both_engines
def test_curl_gets_the_headers_alone_with_head(ports: dict[str, int], engine: str) -> None:
    said = curl(ports[engine], "-I")
    assert said == "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 13\n\n"


@both_engines
def test_client_of_http_1_0_is_closed_unless_it_asks_to_keep_alive(ports: dict[str, int], engine: str) -> None:
    base = f"http://{HOST}:{ports[engine]}"
    closing = ["-0", "-w", "%{num_connects}"]
    assert output("curl", "-sSi", *closing, base, base).count("Connection: close\n") == 2
    assert output("curl", "-sS", *closing, base, base) == "Hello, World!1Hello, World!1"
    keeping = output("curl", "-sS", *closing, "-H", "Connection: keep-alive", base, base)
    assert keeping == "Hello, World!1Hello, World!0"


@both_engines
def test_curl_that_expects_100_continue_gets_it_before_the_body(ports: dict[str, int], engine: str) -> None:
    """It would wait for it for a minute, and fail."""
    options = ["-i", "-H", "Expect: 100-continue", "--expect100-timeout", "60", "--data", "x"]
    said = curl(ports[engine], *options)
    assert said.startswith("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n")
    assert said.endswith("Hello, World!")


def test_rule_on_the_head_answers_before_the_body_is_sent(ports: dict[str, int], tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(bytes(900_000))
    options = ["-H", "Expect: 100-continue", "--expect100-timeout", "60", "-T", str(body)]
    said = curl(ports["head-first"], *options, "-w", " %{http_code} %{size_upload}", path="/refused")
    assert said == "too large 413 0"
    stored = curl(ports["head-first"], *options, "-w", " %{http_code} %{size_upload}", path="/stored")
    assert stored == "stored 201 900000"


def test_http_client_reads_responses_of_either_kind_over_one_connection(ports: dict[str, int]) -> None:
    client = http.client.HTTPConnection(HOST, ports["head-first"], timeout=30)
    try:
        for method, path, body, expected in (
            ("GET", "/", None, (200, b"head")),
            ("PUT", "/a", b"abc", (201, b"stored")),
            ("PUT", "/b", iter([b"ab", b"c"]), (201, b"stored")),
            ("HEAD", "/", None, (200, b"")),
            ("GET", "/", None, (200, b"head")),
        ):
            client.request(method, path, body)
            response = client.getresponse()
            assert (response.status, response.read()) == expected
    finally:
        client.close()
