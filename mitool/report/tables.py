"""Claims and settings as tables of text, for a person to read."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitool.core.result import Claim

MAX_LISTED = 8
"""Elements of a list that a cell shows; its full value has all."""
MAX_TEXT = 120

MAX_PHRASE = 60
"""Letters of a text that has room in a cell; a longer claim stands in a list of its own."""

MOST_ABREAST = 6
"""Like things that are columns; more are rows."""


@dataclass(frozen=True)
class Cell:
    """A value in short, and in full.

    Attributes:
        kind: "number", "text" or "undefined".
    """

    text: str
    full: str
    kind: str


@dataclass(frozen=True)
class Table:
    """Rows of named values.

    Attributes:
        columns: names of the columns of values; empty where there is one that needs no name.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def claims_tables(claims: Mapping[str, Claim]) -> tuple[Table, ...]:
    """Claims by name, then what a sentence says, then those of several like things.

    Of like things (``seed0.loss``, ``seed1.loss``) a few stand abreast as columns, many as rows.
    """
    sentences = {
        name: value
        for name, value in claims.items()
        if isinstance(value, str) and len(value) > MAX_PHRASE
    }
    own, groups = _grouped({k: v for k, v in claims.items() if k not in sentences})
    found = (_listed(own), *_by_measure(sentences), _abreast(groups))
    return tuple(table for table in found if table.rows)


def _grouped(claims: Mapping[str, Claim]) -> tuple[dict[str, Claim], dict[str, dict[str, Claim]]]:
    """The claims of no group, and each group's (``GROUP.name``) where there are several alike."""
    groups: dict[str, dict[str, Claim]] = {}
    for name, value in claims.items():
        group, _, last = name.rpartition(".")
        groups.setdefault(group, {})[last] = value
    own = groups.pop("", {})
    alike = len({tuple(group) for group in groups.values()}) == 1
    return (own, groups) if alike and len(groups) > 1 else (dict(claims), {})


def _listed(claims: Mapping[str, Claim]) -> Table:
    rows = ((name, (cell(value, "undefined"),)) for name, value in claims.items())
    return Table("", (), tuple(rows))


def _by_measure(sentences: Mapping[str, str]) -> tuple[Table, ...]:
    """A list of sentences, uncut, for each measure that has some."""
    lists: dict[str, list[tuple[str, tuple[Cell, ...]]]] = {}
    for name, sentence in sentences.items():
        group, _, measure = name.rpartition(".")
        lists.setdefault(measure, []).append((group, (Cell(sentence, sentence, "text"),)))
    return tuple(Table(measure, (), tuple(rows)) for measure, rows in lists.items())


def _abreast(groups: Mapping[str, Mapping[str, Claim]]) -> Table:
    if len(groups) > MOST_ABREAST:
        measures = tuple(
            measure
            for measure in next(iter(groups.values()))
            if any(group[measure] is not None for group in groups.values())
        )
        by_group = (
            (name, tuple(cell(group[measure], "undefined") for measure in measures))
            for name, group in groups.items()
        )
        return Table("", measures, tuple(by_group))
    rows = (
        (measure, tuple(cell(group[measure], "undefined") for group in groups.values()))
        for measure in next(iter(groups.values()), ())
    )
    return Table("", tuple(groups), tuple(rows))


def settings_tables(settings: Mapping[str, Any], heading: str = "") -> tuple[Table, ...]:
    """Nested settings as one flat table for each mapping in them, headed by its path."""
    plain = {k: v for k, v in settings.items() if not (isinstance(v, Mapping) and v)}
    nested = {str(k): v for k, v in settings.items() if isinstance(v, Mapping) and v}
    own = Table(heading, (), tuple((str(k), (cell(v, "not set"),)) for k, v in plain.items()))
    prefix = f"{heading}." if heading else ""
    below = (t for k, v in nested.items() for t in settings_tables(v, f"{prefix}{k}"))
    return (*([own] if plain else []), *below)


def cell(value: object, missing: str) -> Cell:
    """A value as a person reads it; ``missing`` stands for None."""
    if value is None:
        return Cell(missing, "null", "undefined")
    if isinstance(value, bool):
        return Cell("yes" if value else "no", _full(value), "text")
    if isinstance(value, int | float):
        return Cell(readable(value), _full(value), "number")
    if isinstance(value, str):
        return Cell(_shortened(value), value, "text")
    if isinstance(value, Sequence):
        listed = ", ".join(cell(element, missing).text for element in value[:MAX_LISTED])
        more = f", … ({len(value)} in all)" if len(value) > MAX_LISTED else ""
        return Cell(listed + more if value else "none", _full(value), "text")
    return Cell(_shortened(_full(value)), _full(value), "text")


def readable(value: float) -> str:
    """A number to four digits: 12,769 and 0.1235 and 2.131 x 10 to the -7."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if value.is_integer() and abs(value) < 1e6:
        return f"{value:z,.0f}"
    mantissa, _, exponent = f"{value:z.4g}".partition("e")
    return mantissa if not exponent else f"{mantissa} \u00d7 10{_raised(int(exponent))}"


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _full(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
