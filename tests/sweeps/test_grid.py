"""Grids, worked out by hand."""

from pathlib import Path

import pytest

from mitool.core.errors import InputError, MitoolError, UsageError
from mitool.sweeps.base import LONGEST_NAME, point_name
from mitool.sweeps.grid import parse_grid, parse_values, read_grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("53,97, 113", ["53", "97", "113"]),
        ("0:4", ["0", "1", "2", "3"]),
        ("0:10:4", ["0", "4", "8"]),
        ("0:8:4", ["0", "4"]),
        ("5:0:-2", ["5", "3", "1"]),
        ("-1:1", ["-1", "0"]),
        ("0.1:0.5:0.1", ["0.1", "0.2", "0.3", "0.4"]),
        ("1e-3:3e-3:1e-3", ["0.001", "0.002"]),
        ("0:3,7", ["0", "1", "2", "7"]),
        ("1..1000:4", ["1", "10", "100", "1000"]),
        ("0.001..0.03:3", ["0.001", "0.005477", "0.03"]),
        ("8..1:4", ["8", "4", "2", "1"]),
        ("100..1000000:3", ["100", "10000", "1000000"]),
        ("1e3:3e3:1e3", ["1000", "2000"]),
        ("1e-6..1e-4:3", ["1e-06", "1e-05", "0.0001"]),
        ("0..0.95", ["0..0.95"]),
        ("cuda:0", ["cuda:0"]),
        ("1e-3", ["1e-3"]),
    ],
)
def test_values_are_lists_ranges_and_ratios(text: str, values: list[str]) -> None:
    assert parse_values(text, "x") == values


def test_a_grid_is_the_product_of_its_axes_and_the_last_runs_fastest() -> None:
    points = [
        {"d_model": "8", "seed": "0"},
        {"d_model": "8", "seed": "1"},
        {"d_model": "16", "seed": "0"},
        {"d_model": "16", "seed": "1"},
    ]
    assert parse_grid(["d-model=8,16", "seed=0:2"]) == points
    assert [point_name(point) for point in points[:2]] == ["d_model8-seed0", "d_model8-seed1"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["p"], "expected OPTION=VALUES"),
        (["=3"], "expected OPTION=VALUES"),
        (["--p=3"], "expected OPTION=VALUES"),
        (["p="], "expected values with commas between"),
        (["p=3,,5"], "expected values with commas between"),
        (["p=3,3"], "has the value '3' twice"),
        (["p=3", "p=5"], "is given twice"),
        (["d-model=3", "d_model=5"], "is given twice"),
        (["p=5:5"], "expected FIRST:END"),
        (["p=0:5:0"], "expected FIRST:END"),
        (["p=5:0"], "expected FIRST:END"),
        (["lr=0..1:3"], "ends above 0"),
        (["lr=1..2:1"], "2 or more values"),
        (["lr=1..1.0001:5"], "twice"),
        (["seed=0:10001"], "at most 10,000 points, found 10,001"),
        (["seed=0:1e99"], "at most 10,000 points, found 1.00e.99"),
        (["lr=1..2:99999999999"], "at most 10,000 points"),
        (["seed=0:101", "p=0:100"], "at most 10,000 points, found 10,100"),
        ([], "at least one axis"),
    ],
)
def test_what_is_no_grid_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_grid(texts)


FILES = {
    "axes.json": (
        '{"p": [5, 7], "lr": "1..100:3", "stop_on_grok": true}',
        [{"p": p, "lr": lr, "stop_on_grok": "true"} for p in "57" for lr in ("1", "10", "100")],
    ),
    "points.json": (
        '[{"p": 5, "betas": [0.9, 0.98]}, {"lr": 1e-3, "sparsity": "0,0.9"}]',
        [{"p": "5", "betas": "0.9 0.98"}, {"lr": "0.001", "sparsity": "0,0.9"}],
    ),
    "axes.toml": (
        'p = [5]\nop = ["add"]\nseed = "0:2"',
        [
            {"p": "5", "op": "add", "seed": "0"},
            {"p": "5", "op": "add", "seed": "1"},
        ],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_axes_or_points(tmp_path: Path, name: str) -> None:
    text, points = FILES[name]
    (tmp_path / name).write_text(text)
    assert read_grid(tmp_path / name) == points


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "p: 5", "expected a grid in a .json or .toml file"),
        ("a.json", "{", "expected JSON"),
        ("a.json", '{"p": NaN}', "NaN"),
        ("a.json", '{"p": 5, "p": 7}', "twice in one object"),
        ("a.json", "3", "found a number"),
        ("a.json", "[]", "at least one point"),
        ("a.json", "[{}]", "point 1: expected an object"),
        ("a.json", '[{"p": null}]', "point 1: p: expected a number, a text"),
        ("a.json", '{"p": {}}', "expected a number, a text"),
        ("a.json", '{"p": []}', "has no values"),
        ("a.json", '{"../x": 5}', "expected an option's name"),
        ("a.json", "{}", "at least one axis"),
        ("a.json", "[" * 100_000, "expected JSON"),
        ("a.toml", "p = ", "expected TOML"),
        ("a.toml", "p = 1979-05-27", "expected a number, a text"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MitoolError, match=message):
        read_grid(tmp_path / name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.json: cannot be read: No such file"):
        read_grid(tmp_path / "none.json")


def test_names_that_lose_letters_or_are_long_stay_apart() -> None:
    first, second = (point_name({"sparsity": text}) for text in ("0/1", "0:1"))
    assert first.startswith("sparsity0_1-")
    assert second.startswith("sparsity0_1-")
    assert first != second
    longs = [point_name({f"axis{i}": "x" * 40 for i in range(n)}) for n in (9, 10)]
    assert longs[0] != longs[1]
    assert all(len(name) < LONGEST_NAME + 10 for name in longs)
    assert point_name({"op": "add", "lr": "-1"}) == "op_add-lr-1"
