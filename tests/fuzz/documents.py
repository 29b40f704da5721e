"""Values and changes of JSON documents, and of the bytes of files."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([2**31, 2**63, 2**64, 10**30, -(10**30), 10**400, 10**4200]),
    st.floats(width=64),
    st.sampled_from([1e-320, 1e308, 0.5, -0.0]),
)
TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["", " ", "\x1b[31m", "[bold]", "\n", "\u2028", "\ud800", "x" * 5000, "..", "0"]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all that a document holds."""
    members: Any = ()
    if isinstance(document, dict):
        members = document.items()
    elif isinstance(document, list):
        members = enumerate(document)
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """A document in which one or two values are others, gone, or more."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        paths = list(places(document))
        if not paths:
            return document
        *parents, key = draw(st.sampled_from(paths))
        holder = document
        for parent in parents:
            holder = holder[parent]
        match draw(st.sampled_from(["other", "other", "gone", "more"])):
            case "other":
                holder[key] = draw(VALUES)
            case "gone":
                del holder[key]
            case "more" if isinstance(holder, dict):
                holder[draw(TEXTS)] = draw(VALUES)
            case "more":
                holder.insert(key, draw(VALUES))
    return document


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes of a file, damaged in one place."""
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    few = st.binary(min_size=1, max_size=16)
    match draw(st.sampled_from(["flip", "cut", "insert", "overwrite", "remove", "twice", "other"])):
        case "flip" if content:
            flipped = content[place] ^ (1 << draw(st.integers(0, 7)))
            return content[:place] + bytes([flipped]) + content[place + 1 :]
        case "cut":
            return content[:place]
        case "insert":
            return content[:place] + draw(few) + content[place:]
        case "overwrite":
            new = draw(few)
            return content[:place] + new + content[place + len(new) :]
        case "remove":
            return content[:place] + content[place + draw(st.integers(1, 64)) :]
        case "twice":
            return content + content
    return draw(st.binary(max_size=64))


def dumped(document: Any) -> bytes:
    """A document as JSON, whatever it holds."""
    return json.dumps(document).encode()


DEEP = b"[" * 100_000
"""JSON of more levels than a parser goes down."""

LONG_NUMBER = b"9" * 5000
"""A number of more digits than Python reads."""
