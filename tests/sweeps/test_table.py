"""Tables, read back by pandas and pyarrow."""

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mitool.storage import atomic
from mitool.sweeps import Outcome, Point
from mitool.sweeps.table import typed, write_tables

AXES = {"seconds": (1.5, 2.5, None), "op": ("add", "=1+1", None)}


def _outcome(folder: Path, name: str, claims: dict[str, object], **failure: object) -> Outcome:
    point = Point(name, {}, ())
    lines = [{"epoch": e, "norms": {"a": e / 3, "": e}, "xs": [e, 0.5]} for e in range(2)]
    if claims:
        atomic.write_lines(folder / "points" / name / "metrics.jsonl", lines)
    return Outcome(
        point, **{"exit_code": 0, "error": None, "seconds": 2.0, **failure}, claims=claims
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    done = {"epochs": 5, "op": "x", "loss": [0.25, None], "grokked_at": None}
    outcomes = (
        _outcome(tmp_path, "a", done),
        _outcome(tmp_path, "b", done | {"epochs": 0.1, "grokked_at": 7}),
        _outcome(tmp_path, "c", {}, exit_code=1, error='@diverged, "badly"', seconds=None),
    )
    write_tables(tmp_path, AXES, outcomes)
    return tmp_path


def test_points_have_a_row_each_in_parquet(folder: Path) -> None:
    rows = pq.read_table(folder / "points.parquet").to_pylist()
    assert rows[0] == {
        "name": "a",
        "seconds": 1.5,
        "op": "add",
        "status": "done",
        "exit_code": 0,
        "error": None,
        "sweep.seconds": 2.0,
        "epochs": 5.0,
        "claim.op": "x",
        "loss": [0.25, None],
        "grokked_at": None,
    }
    assert rows[1]["grokked_at"] == 7
    assert rows[2]["status"] == "failed"
    assert rows[2]["error"] == '@diverged, "badly"'
    assert rows[2]["loss"] is None


def test_points_have_a_row_each_in_csv_and_no_formula(folder: Path) -> None:
    frame = pd.read_csv(folder / "points.csv")
    assert list(frame["status"]) == ["done", "done", "failed"]
    assert list(frame["op"][:2]) == ["add", "'=1+1"]
    assert frame["error"][2] == '\'@diverged, "badly"'
    assert json.loads(frame["loss"][0]) == [0.25, None]
    assert pd.isna(frame["grokked_at"][0])
    assert frame["epochs"][1] == 0.1


def test_metrics_have_a_row_for_each_evaluation(folder: Path) -> None:
    table = pq.read_table(folder / "metrics.parquet")
    assert table.column_names == ["name", "seconds", "op", "epoch", "norms.a", "norms", "xs"]
    rows = table.to_pylist()
    assert [(row["name"], row["epoch"], row["seconds"]) for row in rows] == [
        ("a", 0, 1.5),
        ("a", 1, 1.5),
        ("b", 0, 2.5),
        ("b", 1, 2.5),
    ]
    assert rows[3]["norms.a"] == 1 / 3
    assert rows[3]["xs"] == [1.0, 0.5]
    frame = pd.read_csv(folder / "metrics.csv")
    assert frame["norms.a"][3] == 1 / 3
    assert json.loads(frame["xs"][3]) == [1.0, 0.5]


def test_a_sweep_of_which_nothing_came_has_empty_metrics(tmp_path: Path) -> None:
    failed = _outcome(tmp_path, "c", {}, exit_code=1, error="no", seconds=None)
    write_tables(tmp_path, {"p": (5,)}, [failed])
    assert pq.read_table(tmp_path / "metrics.parquet").num_rows == 0
    assert (tmp_path / "metrics.csv").exists()


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "2"], [1, 2]),
        (["1", "0.5"], [1.0, 0.5]),
        (["true", "false"], [True, False]),
        (["1", "add"], ["1", "add"]),
        (["1", None], [1, None]),
        ([str(2**64), "1"], [2.0**64, 1.0]),
        (["1e-3"], [1e-3]),
    ],
)
def test_values_are_typed_where_all_of_an_axis_are(
    texts: list[str | None], values: list[object]
) -> None:
    found = typed(texts)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]
