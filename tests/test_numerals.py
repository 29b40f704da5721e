"""How numbers are written: never as -0, and never as all or none where they are not."""

import ast
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mitool.api import finding
from mitool.cli.output import readable as printed
from mitool.core.numerals import share
from mitool.core.result import Result, json_value, number
from mitool.report.circuits.summary import percent
from mitool.report.figures import drawable
from mitool.report.tables import cell, readable

PACKAGE = Path(__file__).parents[1] / "mitool"
SHOWS = sorted(path.name for path in PACKAGE.iterdir() if any(path.glob("*.py")))
"""All parts of the package."""

FLOAT = re.compile(r"[+-]?(z?)[\d,]*(\.\d+)?[eEfFgG%]")
"""A format of numbers that are no integers; ``z`` leaves the sign of a zero out."""


def formats(path: Path) -> list[str]:
    """The formats in a module's f-strings."""
    specs = [
        node.format_spec
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr)
    ]
    return [
        "".join(str(p.value) if isinstance(p, ast.Constant) else "0" for p in spec.values)
        for spec in specs
    ]


@pytest.mark.parametrize("name", SHOWS)
def test_no_format_leaves_a_zero_its_sign(name: str) -> None:
    modules = sorted((PACKAGE / name).rglob("*.py"))
    assert modules
    found = {
        str(path.relative_to(PACKAGE)): spec
        for path in modules
        for spec in formats(path)
        if (match := FLOAT.fullmatch(spec)) and not match[1]
    }
    assert found == {}, "write {value:z.3g}, which a -0, or what is rounded to one, has no sign in"


@pytest.mark.parametrize("value", [-0.0, -1e-300])
def test_zeros_have_no_sign_wherever_they_are_printed(value: float) -> None:
    texts = [printed(-0.0), readable(-0.0), percent(value), share(value, 1), cell(-0.0, "").text]
    texts += [printed([-0.0, 1.0]), cell([-0.0, 1.0], "").text, finding._shortened(-0.0)]
    assert not [text for text in texts if "-0" in text]
    assert str(drawable(-0.0)) == "0.0"


def test_no_claim_is_minus_zero() -> None:
    claims = {"a": -0.0, "b": [-0.0, None, 2.0], "c": (-0.0,), "d": "-0.0", "e": None, "f": 3}
    found = Result({}, {}, claims).claims
    expected = "{'a': 0.0, 'b': [0.0, None, 2.0], 'c': (0.0,), 'd': '-0.0', 'e': None, 'f': 3}"
    assert str(found) == expected
    assert str(number(-0.0)) == "0.0"
    assert (
        str(json_value({"rows": [{"metric": -0.0}], "n": 1}))
        == "{'rows': [{'metric': 0.0}], 'n': 1}"
    )


def test_what_is_no_finite_number_is_undefined_and_told_of_once() -> None:
    claims = {"a": math.nan, "b": [1.0, math.inf], "c": 2.0, "d": None, "e": (None, 0.5)}
    found = Result({}, {}, claims, warnings=("other",))
    assert found.claims == {"a": None, "b": [1.0, None], "c": 2.0, "d": None, "e": (None, 0.5)}
    told = ("other", "undefined, because not finite numbers: a, b")
    assert found.warnings == told
    assert replace(found, subject={"more": 1}).warnings == told
    json.dumps(json_value({"rows": [{"x": -math.inf}]}), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.0, 2, "100.00%"),
        (0.0, 0, "0%"),
        (-0.0, 1, "0.0%"),
        (0.5, 0, "50%"),
        (0.9994, 1, "99.9%"),
        (0.9996, 1, "99.96%"),
        (0.99996, 2, "99.996%"),
        (0.999, 0, "99.9%"),
        (0.0004, 0, "0.04%"),
        (1 - 1 / 512**2, 2, "99.9996%"),
        (1.5, 0, "150%"),
    ],
)
def test_a_share_is_all_or_none_only_where_it_is(value: float, digits: int, text: str) -> None:
    assert share(value, digits) == text
