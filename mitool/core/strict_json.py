"""JSON that others wrote, taken at its word: no NaN or infinite number, and no key twice."""

import json
import math
from collections import Counter
from typing import Any, NoReturn

MOST_SHOWN = 80
"""Letters of a key in a message."""

KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def parsed(text: str) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: it is no JSON, holds NaN, Infinity or a number beyond the largest (1e999), one
            of thousands of digits, or a key twice in one object.
        RecursionError: it has too many levels.
    """
    return json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_float=_finite,
        object_pairs_hook=_object,
    )


def kind(value: Any) -> str:
    """What a value is, in words."""
    return KINDS[type(value)]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no number in JSON")


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text[:MOST_SHOWN]}, which is beyond the largest number")
    return value


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        (twice, _), *_ = Counter(key for key, _ in members).most_common(1)
        raise ValueError(f"the key {ascii(twice)[:MOST_SHOWN]} twice in one object")
    return found
