"""redis-py: a server that names the client, loads, and goes away.

In place of the handler, the two servers and the threads of tests/test_connect.py of redis-py, some 110 lines.
"""

import pytest

from answerback.testing import Answerback

redis = pytest.importorskip("redis")

OK = [{"send": "+OK\r\n"}]


def test_connection_is_named(answerback: Answerback) -> None:
    server = answerback.listen(
        framing="resp",
        rules=[{"when": {"contains": "SETNAME\r\n$4\r\ntest"}, "do": OK}, {"do": [{"send": "-ERR\r\n"}]}],
    )
    redis.Connection(*server.address, client_name="test", protocol=2, driver_info=None).connect()
    with pytest.raises(redis.RedisError):
        redis.Connection(*server.address, client_name="else", protocol=2, driver_info=None).connect()


def test_client_retries_while_the_server_loads_or_hangs_up(answerback: Answerback) -> None:
    server = answerback.listen(
        framing="resp",
        rules=[
            {
                "when": {"contains": "GET"},
                "replies": {"of": [[{"send": "-LOADING wait\r\n"}], [{"send": "$2\r\nhi\r\n"}]]},
            },
            {"do": OK},
        ],
        faults=[{"skip": 3, "times": 1, "truncate": {"bytes": 2}}],
    )
    client = redis.Redis(
        *server.address,
        protocol=2,
        driver_info=None,
        retry=redis.retry.Retry(redis.backoff.NoBackoff(), 5),
        retry_on_error=[redis.BusyLoadingError, redis.ConnectionError],
    )
    with client:
        assert [client.get("key") for _ in range(5)] == [b"hi"] * 5
    assert server.status().connections_accepted > 1
