"""requests: what its low-level server sends, from whole responses to broken ones.

In place of tests/testserver/server.py of requests, 130 lines.
"""

import pytest

from answerback.testing import Answerback, Listener

requests = pytest.importorskip("requests")


def url(server: Listener) -> str:
    return f"http://{server.host}:{server.port}/"


def test_basic_response(answerback: Answerback) -> None:
    server = answerback.listen(framing="http", rules=[{"do": [{"respond": 200}]}])
    assert requests.get(url(server), timeout=10).status_code == 200


def test_text_is_sent_as_it_is(answerback: Answerback) -> None:
    text = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nroflol"
    server = answerback.listen(framing="http", rules=[{"do": [{"send": text}, "close"]}])
    response = requests.get(url(server), timeout=10)
    assert (response.status_code, response.text, response.headers["Content-Length"]) == (200, "roflol", "6")


def test_chunked_upload_reaches_the_server(answerback: Answerback) -> None:
    """The rule answers only a request that is whole: both chunks, and the end."""
    server = answerback.listen(
        framing="http", rules=[{"when": {"suffix": "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"}, "do": [{"respond": 200}]}]
    )
    assert requests.post(url(server), data=iter([b"a", b"b"]), timeout=10).status_code == 200


def test_incomplete_chunk_is_an_error(answerback: Answerback) -> None:
    broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nab"
    server = answerback.listen(framing="http", rules=[{"do": [{"send": broken}, "close"]}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(url(server), timeout=10)


def test_redirect_with_a_fragment_is_followed(answerback: Answerback) -> None:
    moved = {"respond": {"status": 301, "headers": [{"name": "Location", "value": "/new#part"}]}}
    found = {"when": {"prefix": "GET /new "}, "do": [{"respond": {"status": 200, "body": "found"}}]}
    server = answerback.listen(framing="http", rules=[found, {"do": [moved]}])
    response = requests.get(url(server), timeout=10)
    assert (response.text, response.url) == ("found", f"{url(server)}new#part")
    assert [each.status_code for each in response.history] == [301]


def test_requests_of_a_session_share_a_connection(answerback: Answerback) -> None:
    server = answerback.listen(framing="http", rules=[{"do": [{"respond": 200}]}])
    with requests.Session() as session:
        for _ in range(3):
            session.get(url(server), timeout=10)
    assert (server.status().connections_accepted, server.status().requests) == (1, 3)
