"""Warnings about a listener's rules."""

from collections.abc import Sequence

from answerback.language.context import Linting
from answerback.language.matching import takes_all
from answerback.language.problems import Problems, quoted
from answerback.language.rules import event_without_request, other_steps, scripts
from answerback.language.steps import STEPS, StepKind
from answerback.v1 import config_pb2 as v1

_EVERYWHERE = None  # the key of rules without `in_states`

Numbered = Sequence[tuple[int, v1.Rule]]


def lint_rules(listener: v1.Listener, linting: Linting) -> None:
    """Report what is probably not meant with the rules of a listener."""
    path, problems = linting.path, linting.problems
    by_event: dict[int, list[tuple[int, v1.Rule]]] = {}
    for index, rule in enumerate(listener.rules):
        by_event.setdefault(rule.event or v1.EVENT_REQUEST, []).append((index, rule))
    by_event.pop(v1.EVENT_TICK, None)  # each such rule has its own clock: no other one takes its place
    for rules in by_event.values():
        _unreachable(rules, path, problems)
        _before_catch_alls(rules, path, problems)
    _states(listener, path, problems)
    _idle_in_scripts(listener, path, problems)
    for index, rule in enumerate(listener.rules):
        here = f"{path}.rules[{index}]"
        _counts(rule, here, problems)
        behind_fin = _is_behind_fin(listener, rule)
        for script_path, script in scripts(rule, here):
            _steps(script, event_without_request(rule), script_path, problems)
            if behind_fin:
                _behind_fin(script, script_path, problems)


# ── Which rule acts ───────────────────────────────────────────────────────────────────────────────────────────────


class _Taken:
    """The first rule that matches something, by state."""

    def __init__(self) -> None:
        self._by_state: dict[str | None, int] = {}

    def take(self, index: int, rule: v1.Rule) -> None:
        for state in rule.in_states or [_EVERYWHERE]:
            self._by_state.setdefault(state, index)

    def before(self, rule: v1.Rule) -> list[int]:
        """The rules before which match everything that this one could match; none if something is left."""
        if _EVERYWHERE in self._by_state:
            return [self._by_state[_EVERYWHERE]]
        if not rule.in_states or not all(state in self._by_state for state in rule.in_states):
            return []
        return sorted({self._by_state[state] for state in rule.in_states})


def _unreachable(rules: Numbered, path: str, problems: Problems) -> None:
    """Report a rule after others that match everything, or everything that it would match."""
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
    """Report a rule that enters a state, and acts there too, before the one that matches everything in that state."""
    catch_alls: list[tuple[int, Sequence[str]]] = []
    found: list[tuple[int, int, str]] = []
    for index, rule in reversed(rules):
        if _takes_all(rule) and not _is_limited(rule):
            catch_alls = [(index, rule.in_states), *catch_alls] if rule.in_states else []
        elif not rule.in_states:
            entered = _entered(rule)
            both = ((index, behind, state) for behind, states in catch_alls for state in states if state in entered)
            found += list(both)[:1]
    for index, behind, state in reversed(found):
        problems.add(
            f"{path}.rules[{index}]",
            f"enters the state {quoted(state)} and also acts there, before rules[{behind}], which matches everything "
            "in that state: give it in_states",
        )


def _entered(rule: v1.Rule) -> set[str]:
    """The states that the steps of a rule enter."""
    kinds = ((STEPS.of(step), step) for _, script in scripts(rule, "") for step in script)
    return {kind.enters(getattr(step, kind.name)) or "" for kind, step in kinds if kind is not None} - {""}


def _takes_all(rule: v1.Rule) -> bool:
    return not rule.HasField("when") or takes_all(rule.when)


def _is_limited(rule: v1.Rule) -> bool:
    """Whether there comes a time when it matches no more."""
    return rule.times > 0 or rule.replies.then == v1.Replies.THEN_NEXT_RULE


def _names(indexes: Sequence[int]) -> str:
    return " and ".join(f"rules[{index}]" for index in indexes)


def _all(indexes: Sequence[int]) -> str:
    return f"{_names(indexes)} {'matches' if len(indexes) == 1 else 'match'}"


def _there(rule: v1.Rule) -> str:
    return " in its states" if rule.in_states else ""


# ── States and counts ─────────────────────────────────────────────────────────────────────────────────────────────


def _states(listener: v1.Listener, path: str, problems: Problems) -> None:
    entered = {""}.union(*map(_entered, listener.rules))
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
            problems.add(here, "never matches on CONNECT: a connection starts in state ''")


def _counts(rule: v1.Rule, path: str, problems: Problems) -> None:
    if rule.scope and not rule.times and not rule.HasField("replies"):
        problems.add(f"{path}.scope", "has no effect: neither times nor replies is set")
    replies = len(rule.replies.of)
    if rule.replies.then == v1.Replies.THEN_NEXT_RULE and rule.times > replies:
        problems.add(f"{path}.times", f"never reached: the rule does not match after {replies} replies")


def _idle_in_scripts(listener: v1.Listener, path: str, problems: Problems) -> None:
    """Report rules on IDLE that do not act while a script waits for a frame, although scripts do."""
    reads = any(kind is not None and kind.reads for rule in listener.rules for kind in _kinds(rule))
    if not reads:
        return
    for index, rule in enumerate(listener.rules):
        if rule.event != v1.EVENT_IDLE:
            continue
        for here, script in scripts(rule, f"{path}.rules[{index}]"):
            for place in other_steps(script)[:1]:
                problems.add(
                    f"{here}[{place}]",
                    "because of this step, the rule does not act while a script waits in `receive`: then only rules "
                    "with send, close and reset act",
                )


def _kinds(rule: v1.Rule) -> list[StepKind | None]:
    return [STEPS.of(step) for _, script in scripts(rule, "") for step in script]


# ── Steps ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _steps(script: Sequence[v1.Step], event: str | None, path: str, problems: Problems) -> None:
    kinds = [kind for step in script if (kind := STEPS.of(step)) is not None]
    if len(kinds) < len(script):
        return  # `check` has rejected a step, so the meaning of the script is not known
    end = next((index for index, kind in enumerate(kinds) if kind.ends), len(kinds))
    if end < len(kinds) - 1:
        problems.add(f"{path}[{end + 1}]", f"never reached: {_step(path, end)} {kinds[end].ends}")
    if event is not None:
        silent = next((index for index, kind in enumerate(kinds) if kind.needs_request), None)
        if silent is not None:
            problems.add(f"{path}[{silent}]", f"sends nothing: {event} has no request")
    half = next((index for index, kind in enumerate(kinds[:end]) if kind.half_closes), None)
    if half is None:
        return
    behind = range(half + 1, end)
    for lost, what in (
        (next((index for index in behind if kinds[index].sends), None), "sends nothing"),
        (next((index for index in behind if kinds[index].reads), None), "hears nothing"),
    ):
        if lost is not None:
            problems.add(f"{path}[{lost}]", f"{what}: {_step(path, half)} has closed our half")


def _is_behind_fin(listener: v1.Listener, rule: v1.Rule) -> bool:
    """Whether the peer has closed its half when the rule acts."""
    if rule.event == v1.EVENT_EOF:
        return True
    request = rule.event in (v1.EVENT_UNSPECIFIED, v1.EVENT_REQUEST)
    return request and listener.framing.WhichOneof("kind") == "until_eof"


def _behind_fin(script: Sequence[v1.Step], path: str, problems: Problems) -> None:
    for index, step in enumerate(script):
        kind = STEPS.of(step)
        why = kind.behind_fin(getattr(step, kind.name)) if kind else ""
        if kind and why:
            problems.add(f"{path}[{index}].{kind.name}", why)


def _step(path: str, index: int) -> str:
    return f"{path.rpartition('.')[2]}[{index}]"
