"""Properties of every text, template and request."""

from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from answerback.core import templates
from answerback.core.templates import MOST, TemplateError, TooLong
from answerback.core.templates.functions import FUNCTIONS
from tests.core.templates import reference
from tests.core.turns import Groups, MadeUp

NAMES = ["body", "what"]
DIRECTIVES = ["%Y", "%m", "%d", "%H", "%M", "%S", "%f", "%j", "%s", "%a", "%B", "%F", "%T", "%%", " ", ":", "é"]
ARGUMENTS = {name: function.arguments for name, function in FUNCTIONS.items()}
NUMERIC = {name for name, function in FUNCTIONS.items() if function.largest is not None}

index = st.integers(-9, 9).map(str) | st.just("")
slices = st.tuples(index, index).map(":".join) | st.integers(-9, 9).map(str)
slicing = st.just("") | slices.map("[{}]".format)
bytes_words = st.sampled_from(
    ["request", "listener", "connection.id", "state", "peer.host", "uuid", "vars.a", "vars.b-2"]
)
sliceable = st.tuples(bytes_words | st.sampled_from(NAMES), slicing).map("".join)
numbers = st.sampled_from(["peer.port", "local.port", "request.number", "0x2a", "0x0", "0xFF"])
raw = st.binary(min_size=1, max_size=9).map(lambda data: "hex:" + data.hex(" ")) | st.integers(1, 20).map(
    "random:{}".format
)
captures = st.tuples(st.sampled_from(["1", "2"]), slicing).map("".join)
literals = st.integers(0, 255).map(str) | st.integers(0, 255).map(hex)


def functions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Calls whose arguments are `inner`."""

    @st.composite
    def called(draw: st.DrawFn) -> str:
        name = draw(st.sampled_from(sorted(ARGUMENTS)))
        of = inner | literals if name in NUMERIC else inner | captures
        return name + ":" + ",".join(draw(of) for _ in range(ARGUMENTS[name]))

    return called()


nested = st.recursive(sliceable | numbers | raw, functions, max_leaves=4)
clocks = st.lists(st.sampled_from(DIRECTIVES), min_size=1, max_size=5).map(lambda parts: "now:" + "".join(parts))
placed = (nested | captures | clocks).map("${{{}}}".format)
texts = st.lists(
    placed | st.just("$$") | st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"])), max_size=12
)
written = texts.map("".join)
anything = st.lists(
    st.sampled_from(
        [
            "$",
            "$$",
            "${",
            "}",
            ":",
            ",",
            "[",
            "]",
            "request",
            "len",
            "u8",
            "or",
            "1",
            "-1",
            "hex",
            "00",
            "now",
            "%Y",
            "0x",
            "vars.a",
        ]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)

some = st.binary(max_size=12)
OTHER_GROUPS: dict[int | bytes, st.SearchStrategy[bytes | None]] = {2: some, b"body": some, b"what": st.none() | some}
turns = st.builds(
    MadeUp,
    request=some,
    captures=st.none() | st.builds(Groups, st.fixed_dictionaries({1: st.none() | some}, optional=OTHER_GROUPS)),
    state=st.text(max_size=4),
    number=st.integers(0, 1 << 40),
    variables=st.dictionaries(st.sampled_from(["a", "b-2"]), some),
    peer=st.tuples(st.sampled_from(["", "::1"]), st.integers(0, 65535)),
    local_port=st.integers(0, 65535),
    seed=st.integers(0, 1 << 32),
    moment=st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)


def again(turn: MadeUp) -> MadeUp:
    """The same turn, its chance not used yet."""
    turn.chance.seed(turn.seed)
    return turn


@given(anything | st.text())
def test_any_text_compiles_as_template_or_is_rejected_with_position(text: str) -> None:
    refusal = None
    try:
        templates.compile(text, NAMES, 2)
    except TemplateError as refused:
        refusal = refused
    assert refusal is None or 0 <= refusal.position <= len(text)


@given(anything, turns)
def test_any_compiled_template_renders_or_is_too_long(text: str, turn: MadeUp) -> None:
    with suppress(TemplateError, TooLong):
        template = templates.compile(text, NAMES, 2)
        assert len(template.render(turn)) <= MOST
        number = template.number(turn)
        assert number is None or number >= 0


@given(written, turns)
def test_template_renders_the_same_as_the_reference_renderer(text: str, turn: MadeUp) -> None:
    template = templates.compile(text, NAMES, 2)
    made = template.render(again(turn))
    assert made == reference.render(text, again(turn))
    assert template.constant in {None, made}


@settings(max_examples=30)
@given(written, written, turns)
def test_concatenated_templates_render_as_the_parts(first: str, second: str, turn: MadeUp) -> None:
    again(turn)
    apart = [templates.compile(text, NAMES, 2).render(turn) for text in (first, second)]
    assert templates.compile(first + second, NAMES, 2).render(again(turn)) == b"".join(apart)


@given(written)
def test_template_without_placeholders_is_constant(text: str) -> None:
    constant = text.replace("${", "").replace("$", "")
    assert templates.compile(constant).constant == constant.encode()
