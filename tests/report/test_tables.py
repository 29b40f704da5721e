import math

import pytest

from mitool.report.tables import Cell, Table, cell, claims_tables, readable, settings_tables


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


def texts(table: Table) -> list[tuple[str, ...]]:
    return [(name, *(c.text for c in cells)) for name, cells in table.rows]


def test_claims_are_listed_by_name() -> None:
    (table,) = claims_tables({"test_loss": 0.5, "head.score": 2})
    assert table.columns == ()
    assert texts(table) == [("test_loss", "0.5"), ("head.score", "2")]


def test_claims_of_like_things_stand_abreast() -> None:
    (table,) = claims_tables({"seed0.loss": 1, "seed0.steps": 2, "seed1.loss": 3, "seed1.steps": 4})
    assert table.columns == ("seed0", "seed1")
    assert texts(table) == [("loss", "1", "3"), ("steps", "2", "4")]


def test_claims_of_many_like_things_are_rows() -> None:
    claims = {f"h{i}.{name}": i for i in range(7) for name in ("score", "entropy")}
    (table,) = claims_tables(claims)
    assert table.columns == ("score", "entropy")
    assert texts(table)[:2] == [("h0", "0", "0"), ("h1", "1", "1")]
    assert len(table.rows) == 7


def test_claims_of_no_group_stand_apart_from_those_of_groups() -> None:
    own, grouped = claims_tables({"n": 2, "a.x": 1, "b.x": 3})
    assert texts(own) == [("n", "2")]
    assert grouped.columns == ("a", "b")


def test_sentences_are_listed_whole() -> None:
    sentence = "a head " * 40
    alone, verdicts, grouped = claims_tables(
        {"n": 1, "a.x": 1, "a.verdict": sentence, "b.x": 2, "b.verdict": sentence}
    )
    assert texts(alone) == [("n", "1")]
    assert (verdicts.heading, texts(verdicts)) == ("verdict", [("a", sentence), ("b", sentence)])
    assert texts(grouped) == [("x", "1", "2")]


def test_claims_of_unlike_things_are_listed() -> None:
    (table,) = claims_tables({"a.loss": 1, "b.steps": 2})
    assert table.columns == ()
    assert texts(table) == [("a.loss", "1"), ("b.steps", "2")]


def test_no_claims_are_no_tables() -> None:
    assert claims_tables({}) == ()


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
