"""What mountebank makes of a request, as its documentation says: a second, simple reading of predicates over text."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Predicate = Mapping[str, Any]


def satisfied(predicates: Sequence[Predicate], data: str) -> bool:
    """Whether a request with this text is for the stub with these predicates."""
    return all(_holds(each, data) for each in predicates)


def _holds(predicate: Predicate, data: str) -> bool:
    match predicate:
        case {"and": inner}:
            return all(_holds(each, data) for each in inner)
        case {"or": inner}:
            return any(_holds(each, data) for each in inner)
        case {"not": inner}:
            return not _holds(inner, data)
    sensitive = predicate.get("caseSensitive", False)
    (operator,) = set(predicate) - {"caseSensitive", "except"}
    expected = predicate[operator].get("data", "")
    if "except" in predicate:
        flags = 0 if sensitive or operator == "matches" else re.IGNORECASE
        removed = re.sub(r"\$$", r"\\Z", predicate["except"])  # in Python, $ is also before a last line end
        data = re.sub(removed, "", data, flags=flags)
        if operator not in ("matches", "exists"):
            expected = re.sub(removed, "", expected, flags=flags)
    return "data" not in predicate[operator] or _compared(operator, expected, data, sensitive=sensitive)


def _compared(operator: str, expected: Any, data: str, *, sensitive: bool) -> bool:
    if operator == "exists":
        return (data != "") is expected
    if operator == "matches":
        ascii_words = expected.replace(r"\w", "[A-Za-z0-9_]")  # as in JavaScript
        return re.search(re.sub(r"\$$", r"\\Z", ascii_words), data, 0 if sensitive else re.IGNORECASE) is not None
    if not sensitive:
        expected, data = expected.lower(), data.lower()
    found: dict[str, bool] = {
        "equals": data == expected,
        "deepEquals": data == expected,
        "contains": expected in data,
        "startsWith": data.startswith(expected),
        "endsWith": data.endswith(expected),
    }
    return found[operator]
