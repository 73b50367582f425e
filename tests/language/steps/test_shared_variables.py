"""Uses of shared variables that are rejected: `set`, `unset` and `add`, and `shared[…]` in expressions."""

import pytest

from answerback.language.check import check
from answerback.v1 import config_pb2 as v1
from tests.language.configurations import members, rule, said

INVALID = {
    "set: {value: x}": f"[0].set: empty: set one of {members(v1.Step.Set())}",
    "set: {name: '', value: x}": "[0].set.name: missing: it has no default",
    "set: {shared: 'a b', value: x}": "[0].set.shared: a value or an operator is missing, or one is too many",
    "set: {shared: '1', value: x}": "[0].set.shared: bytes is expected, and this is an int",
    "unset: {}": f"[0].unset: empty: set one of {members(v1.Step.Unset())}",
    "unset: {shared: nothing}": "[0].unset.shared: ",
    "add: {}": "[0].add.shared: missing: it has no default",
    "add: {shared: \"'a'\", by: \"'1'\"}": "[0].add.by: ",
    "add: {shared: \"'a'\", into: 1a}": "[0].add.into: ",
    'send: {template: "${shared}"}': "[0].send.template: ",
    'send: {template: "${shared[1]}"}': "[0].send.template: ",
    'send: {template: "${shared[1:2]}"}': "[0].send.template: ",
}


@pytest.mark.parametrize("text, problem", INVALID.items())
def test_invalid_use_of_a_shared_variable_is_rejected_with_its_place(text: str, problem: str) -> None:
    found = said(check(rule(f"do: [{text}]"), {}))
    assert len(found) == 1
    assert found[0].startswith(f"listeners[0].rules[0].do{problem}"), found


def test_names_of_shared_variables_explain_themselves() -> None:
    (found,) = said(check(rule('do: [send: {template: "${shared}"}]'), {}))
    assert "write shared['KEY'], or 'KEY' in shared" in found
    (found,) = said(check(rule('when: {regex: "(?P<shared>a)"}, do: [echo]'), {}))
    assert "shared" in found
