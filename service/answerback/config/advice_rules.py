"""What of a listener's rules is probably not meant."""

from collections.abc import Iterator, Sequence

from answerback.config.checking_rules import event_without_request
from answerback.config.problems import Problems, quoted
from answerback.v1 import config_pb2 as v1

_ENDS = {"close": "ends the connection", "reset": "ends the connection", "hold": "says nothing more"}
_SENDS = {"send", "echo", "dribble"}
_EMPTY_TAKES_ALL = {"prefix", "suffix", "contains"}
_EVERYWHERE = None  # the key of rules without `in_states`

Numbered = Sequence[tuple[int, v1.Rule]]


def advise(listener: v1.Listener, path: str, problems: Problems) -> None:
    """What is advised of all rules of a listener."""
    by_event: dict[int, list[tuple[int, v1.Rule]]] = {}
    for index, rule in enumerate(listener.rules):
        by_event.setdefault(rule.event or v1.EVENT_REQUEST, []).append((index, rule))
    for rules in by_event.values():
        _unreachable(rules, path, problems)
        _before_catch_alls(rules, path, problems)
    _states(listener, path, problems)
    for index, rule in enumerate(listener.rules):
        here = f"{path}.rules[{index}]"
        _counts(rule, here, problems)
        for script_path, script in scripts(rule, here):
            _steps(script, event_without_request(rule), script_path, problems)


def scripts(rule: v1.Rule, path: str) -> Iterator[tuple[str, Sequence[v1.Step]]]:
    """The steps of a rule, script by script, each with the path of its list."""
    yield f"{path}.do", rule.do
    for index, script in enumerate(rule.replies.of):
        yield f"{path}.replies.of[{index}].do", script.do


# ── Which rule acts ───────────────────────────────────────────────────────────────────────────────────────────────


class _Taken:
    """Which rules take something, by state."""

    def __init__(self) -> None:
        self._by_state: dict[str | None, int] = {}

    def take(self, index: int, rule: v1.Rule) -> None:
        for state in rule.in_states or [_EVERYWHERE]:
            self._by_state.setdefault(state, index)

    def before(self, rule: v1.Rule) -> list[int]:
        """The rules that leave nothing of it to this one; none if something is left."""
        if _EVERYWHERE in self._by_state:
            return [self._by_state[_EVERYWHERE]]
        if not rule.in_states or not all(state in self._by_state for state in rule.in_states):
            return []
        return sorted({self._by_state[state] for state in rule.in_states})


def _unreachable(rules: Numbered, path: str, problems: Problems) -> None:
    """A rule behind others that take everything, or everything that it would take."""
    everything = _Taken()
    alike: dict[bytes, _Taken] = {}
    for index, rule in rules:
        same = alike.setdefault(rule.when.SerializeToString(deterministic=True), _Taken())
        if before := everything.before(rule):
            problems.add(f"{path}.rules[{index}]", f"never reached: {_all(before)} everything{_there(rule)}")
        elif before := same.before(rule):
            has = "has" if len(before) == 1 else "have"
            problems.add(f"{path}.rules[{index}]", f"never reached: {_names(before)} {has} the same condition")
        elif not _is_limited(rule):
            (everything if _takes_all(rule) else same).take(index, rule)


def _before_catch_alls(rules: Numbered, path: str, problems: Problems) -> None:
    """A rule for every state, before one that was to take everything in some state."""
    catch_all: int | None = None
    found: list[tuple[int, int]] = []
    for index, rule in reversed(rules):
        takes_all = _takes_all(rule) and not _is_limited(rule)
        if takes_all:
            catch_all = index if rule.in_states else None
        elif catch_all is not None and not rule.in_states:
            found.append((index, catch_all))
    for index, behind in reversed(found):
        problems.add(
            f"{path}.rules[{index}]",
            f"goes before rules[{behind}], which takes everything in its states: without in_states, there too",
        )


def _takes_all(rule: v1.Rule) -> bool:
    if not rule.HasField("when"):
        return True
    kind: str = rule.when.WhichOneof("kind") or ""
    if kind in _EMPTY_TAKES_ALL:
        return bool(getattr(rule.when, kind) == v1.Literal(text=""))
    return kind == "regex" and not rule.when.regex


def _is_limited(rule: v1.Rule) -> bool:
    """Whether there comes a time when it matches no more."""
    return rule.times > 0 or rule.replies.then == v1.Replies.THEN_NEXT_RULE


def _names(indexes: Sequence[int]) -> str:
    return " and ".join(f"rules[{index}]" for index in indexes)


def _all(indexes: Sequence[int]) -> str:
    return f"{_names(indexes)} {'takes' if len(indexes) == 1 else 'take'}"


def _there(rule: v1.Rule) -> str:
    return " in its states" if rule.in_states else ""


# ── States and counts ─────────────────────────────────────────────────────────────────────────────────────────────


def _states(listener: v1.Listener, path: str, problems: Problems) -> None:
    entered = {""}
    for rule in listener.rules:
        for _, script in scripts(rule, ""):
            entered.update(step.state for step in script if step.WhichOneof("kind") == "state")
    for index, rule in enumerate(listener.rules):
        here = f"{path}.rules[{index}].in_states"
        seen: set[str] = set()
        for place, state in enumerate(rule.in_states):
            if state in seen:
                problems.add(f"{here}[{place}]", f"{quoted(state)} is given already")
            elif state not in entered:
                problems.add(f"{here}[{place}]", f"no `state` step of this listener enters {quoted(state)}")
            seen.add(state)
        if rule.event == v1.EVENT_CONNECT and rule.in_states and "" not in seen:
            problems.add(here, "never on CONNECT: a connection begins in state ''")


def _counts(rule: v1.Rule, path: str, problems: Problems) -> None:
    if rule.scope and not rule.times and not rule.HasField("replies"):
        problems.add(f"{path}.scope", "counts nothing: there are neither times nor replies")
    replies = len(rule.replies.of)
    if rule.replies.then == v1.Replies.THEN_NEXT_RULE and rule.times > replies:
        problems.add(f"{path}.times", f"never reached: the rule matches no more after {replies} replies")


# ── Steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _steps(script: Sequence[v1.Step], event: str | None, path: str, problems: Problems) -> None:
    kinds: Sequence[str] = [step.WhichOneof("kind") or "" for step in script]
    end = next((index for index, kind in enumerate(kinds) if kind in _ENDS), len(kinds))
    if end < len(kinds) - 1:
        problems.add(f"{path}[{end + 1}]", f"never taken: {_step(path, end)} {_ENDS[kinds[end]]}")
    if event is not None and "echo" in kinds:
        problems.add(f"{path}[{kinds.index('echo')}]", f"sends nothing: there is no request on {event}")
    if "half_close" not in kinds[:end]:
        return
    half = kinds.index("half_close")
    for kinds_lost, what in ((_SENDS, "sends nothing"), ({"take"}, "hears nothing")):
        lost = next((index for index in range(half + 1, end) if kinds[index] in kinds_lost), None)
        if lost is not None:
            problems.add(f"{path}[{lost}]", f"{what}: {_step(path, half)} has closed our half")


def _step(path: str, index: int) -> str:
    return f"{path.rpartition('.')[2]}[{index}]"
