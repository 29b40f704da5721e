import math

import pytest

from mitool.report.tables import Cell, cell, claims_table, readable, settings_tables


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (25_000, "25,000"),
        (1.0, "1"),
        (0.12345678, "0.1235"),
        (2.1312e-7, "2.131 \u00d7 10⁻⁷"),
        (3e12, "3 \u00d7 10¹²"),
        (1_234_567.0, "1.235 \u00d7 10⁶"),
        (-0.5, "-0.5"),
        (math.inf, "inf"),
    ],
)
def test_numbers_are_readable(number: float, text: str) -> None:
    assert readable(number) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1 / 3, Cell("0.3333", "0.3333333333333333", "number")),
        (None, Cell("undefined", "null", "undefined")),
        (True, Cell("yes", "true", "text")),
        ("adamw", Cell("adamw", "adamw", "text")),
        ([0.9, 0.98], Cell("0.9, 0.98", "[0.9, 0.98]", "text")),
        ([], Cell("none", "[]", "text")),
        ({}, Cell("{}", "{}", "text")),
    ],
)
def test_a_cell_holds_a_value_in_short_and_in_full(value: object, expected: Cell) -> None:
    assert cell(value, "undefined") == expected


def test_a_long_list_is_shortened() -> None:
    long = cell(list(range(113)), "undefined")
    assert long.text == "0, 1, 2, 3, 4, 5, 6, 7, … (113 in all)"
    assert long.full.endswith("111, 112]")


def test_a_long_text_is_shortened() -> None:
    long = cell("x" * 500, "not set")
    assert (len(long.text), long.full) == (120, "x" * 500)


def test_claims_are_listed_by_name() -> None:
    table = claims_table({"test_loss": 0.5, "head.score": 2})
    assert table.columns == ()
    assert [(name, cells[0].text) for name, cells in table.rows] == [
        ("test_loss", "0.5"),
        ("head.score", "2"),
    ]


def test_claims_of_like_things_stand_abreast() -> None:
    table = claims_table({"seed0.loss": 1, "seed0.steps": 2, "seed1.loss": 3, "seed1.steps": 4})
    assert table.columns == ("seed0", "seed1")
    assert [(name, *(c.text for c in cells)) for name, cells in table.rows] == [
        ("loss", "1", "3"),
        ("steps", "2", "4"),
    ]


def test_claims_of_unlike_things_are_listed() -> None:
    assert claims_table({"a.loss": 1, "b.steps": 2}).columns == ()


def test_no_claims_are_no_rows() -> None:
    assert claims_table({}).rows == ()


def test_nested_settings_are_a_table_each() -> None:
    config = {"seed": 0, "task": {"name": "modadd", "parameters": {"p": 113}}, "none": None}
    tables = settings_tables(config)
    assert [(t.heading, [name for name, _ in t.rows]) for t in tables] == [
        ("", ["seed", "none"]),
        ("task", ["name"]),
        ("task.parameters", ["p"]),
    ]
    assert tables[0].rows[1][1][0].text == "not set"


def test_an_empty_mapping_is_a_value() -> None:
    assert settings_tables({"task": {"name": "x", "parameters": {}}})[0].rows[1][1][0].text == "{}"
