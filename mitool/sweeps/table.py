"""Tables of a sweep: a row for each point, and a row for each evaluation of each point."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitool.storage import atomic, layout
from mitool.sweeps.base import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

Value = int | float | bool | str | None

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a text for a formula, and carries it out."""

LARGEST = 2**63 - 1

Rows = Sequence[Mapping[str, Any]]


def write_tables(
    folder: Path, axes: Mapping[str, Sequence[Value]], outcomes: Sequence[Outcome]
) -> None:
    """Write ``points`` and ``metrics`` as CSV and as Parquet.

    Args:
        axes: the value of each point, by the axis's name.

    Raises:
        RunError: a file cannot be written.
        InputError: the metrics of a run are damaged.
    """
    labels = [
        {"name": outcome.point.name, **{name: values[i] for name, values in axes.items()}}
        for i, outcome in enumerate(outcomes)
    ]
    rows = [_row(label, outcome) for label, outcome in zip(labels, outcomes, strict=True)]
    _write(folder, "points", _table(rows))
    _write(folder, "metrics", _metrics(folder, labels, outcomes))


def typed(texts: Sequence[str | None]) -> list[Value]:
    """The values of an axis as whole numbers, numbers or booleans, where all of them are."""
    known = [text for text in texts if text is not None]
    for kind in (_integer, float, _boolean):
        try:
            values: dict[str, Value] = {text: kind(text) for text in known}
        except ValueError:
            continue
        return [None if text is None else values[text] for text in texts]
    return list(texts)


def _integer(text: str) -> int:
    if not -LARGEST <= (value := int(text)) <= LARGEST:
        raise ValueError(text)
    return value


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _row(label: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    own = {
        "status": "done" if outcome.done else "failed",
        "exit_code": outcome.exit_code,
        "error": outcome.error,
        "seconds": outcome.seconds,
    }
    return _joined(_joined(label, own, "sweep"), outcome.claims, "claim")


def _metrics(folder: Path, labels: Rows, outcomes: Sequence[Outcome]) -> "pa.Table":
    """All evaluations; point by point, since numbers take an eighth of the room in a table."""
    import pyarrow as pa

    tables = []
    for label, outcome in zip(labels, outcomes, strict=True):
        path = folder / layout.POINTS / outcome.point.name / layout.METRICS
        rows = [_joined(label, dict(flat(line)), "metric") for line in atomic.read_lines(path)]
        if rows:
            tables.append(_table(rows))
    return pa.concat_tables(tables, promote_options="permissive") if tables else _table(labels[:0])


def _joined(label: Mapping[str, Any], own: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Both; of two with one name the second is called ``KIND.name``."""
    return {**label, **{f"{kind}.{k}" if k in label else k: v for k, v in own.items()}}


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested values by names with dots between; a name that is empty adds none."""
    for key, value in values.items():
        name = ".".join(part for part in (prefix, key) if part)
        if isinstance(value, dict):
            yield from flat(value, name)
        else:
            yield name, value


def _table(rows: Rows) -> "pa.Table":
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: Sequence[Any]) -> "pa.Array":
    """A column of the values' kind, or of text where they are of several."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else json.dumps(value) for value in values])


def _write(folder: Path, name: str, table: "pa.Table") -> None:
    from pyarrow import csv, parquet

    for suffix, write, content in (
        ("parquet", parquet.write_table, table),
        ("csv", csv.write_csv, _flat_table(table)),
    ):
        buffer = io.BytesIO()
        write(content, buffer)
        atomic.atomic_write(folder / f"{name}.{suffix}", buffer.getvalue())


def _flat_table(table: "pa.Table") -> "pa.Table":
    """The table with what CSV has no place for: lists as JSON, and no text that is a formula."""
    import pyarrow as pa

    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_nested(column.type):
            texts = (None if v is None else json.dumps(v) for v in column.to_pylist())
        elif pa.types.is_string(column.type):
            texts = (_harmless(text) for text in column.to_pylist())
        else:
            columns[name] = column
            continue
        columns[name] = pa.array(texts, pa.string())
    return pa.table(columns)


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(FORMULA) else text
