"""`answerback reset-counters`."""

import json
from typing import Any

from answerback.supervisor import NoSuchCounter
from answerback.v1 import operations_service_pb2 as pb


def test_reset_counters_without_options_resets_all(api: Any, cli: Any) -> None:
    api.answers["ResetCounters"] = pb.ResetCountersResponse(counters=3)
    result = cli("reset-counters")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "3 counters reset\n", "")
    assert api.asked == [pb.ResetCountersRequest()]


def test_reset_counters_with_rule_or_fault_resets_one(api: Any, cli: Any) -> None:
    api.answers["ResetCounters"] = pb.ResetCountersResponse(counters=1)
    assert cli("reset-counters", "--listener", "a", "--rule", "b").stdout == "1 counter reset\n"
    assert json.loads(cli("reset-counters", "--listener", "a", "--fault", "c", "-o", "json").stdout) == {"counters": 1}
    assert api.asked == [
        pb.ResetCountersRequest(listener="a", rule="b"),
        pb.ResetCountersRequest(listener="a", fault="c"),
    ]


def test_reset_counters_of_a_rule_without_listener_exits_with_2(cli: Any) -> None:
    result = cli("reset-counters", "--rule", "b")
    assert result.exit_code == 2
    assert "--rule and --fault need --listener" in result.stderr


def test_reset_counters_of_unknown_rule_fails(api: Any, cli: Any) -> None:
    api.answers["ResetCounters"] = NoSuchCounter("a", "rule", "b")
    result = cli("reset-counters", "--listener", "a", "--rule", "b")
    assert (result.exit_code, result.stderr) == (1, f"Error: 127.0.0.1:{api.port}: listener 'a' has no rule 'b'\n")
