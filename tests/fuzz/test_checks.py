"""``--check``: every text is a condition or refused; a condition is Python's own comparison."""

import fnmatch
import json
from typing import Any

import pytest
from hypothesis import strategies as st

from mitool.cli.checks import OPERATORS, parse_check, require
from mitool.core.errors import CheckFailed, UsageError
from mitool.core.result import Claim
from tests.fuzz.commands import Commands, accepted, bounded
from tests.fuzz.profiles import fuzzed

CLAIMS: dict[str, Claim] = {
    "loss": 0.25,
    "epochs": 300,
    "done": True,
    "name": "add",
    "none": None,
    "list": [1, 2.5, 3],
    "empty": [],
    "MLP1[3]": 1,
    "L0H1.entropy": 0.5,
    "L0H2.entropy": 0.75,
    "scores.MLP1->L2H0<k>": 2.0,
}
NAMES = st.one_of(
    st.sampled_from([*CLAIMS, "L*H*.entropy", "*", "l?ss", "[a-z]*", "[", "MLP1[3", "nosuch"]),
    st.text("aelos*?[]!-.01<>kq", max_size=12),
    st.text(max_size=8),
)
SYMBOLS = st.one_of(st.sampled_from([*OPERATORS]), st.sampled_from(["=", "=>", "", "!", "<>"]))
WORDS = st.one_of(
    st.integers(-400, 400).map(str),
    st.floats(allow_nan=False).map(str),
    st.sampled_from(["true", "null", "add", "[1, 2.5, 3]", "[]", "1e400", "-0", "{}", '"add"']),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "[" * 50_000, "9" * 5000, "1_0", "0x1"]),
    st.text(max_size=10),
)
SPACES = st.sampled_from(["", " ", "  ", "\t"])
CONDITIONS = st.tuples(SPACES, NAMES, SPACES, SYMBOLS, SPACES, WORDS, SPACES).map("".join)


def expected(name: str, symbol: str, value: Any) -> bool:
    """Whether a condition is met, by Python's own comparison."""
    names = [name] if name in CLAIMS else [n for n in CLAIMS if fnmatch.fnmatchcase(n, name)]
    compare = OPERATORS[symbol]
    for held in (CLAIMS[n] for n in names):
        if symbol in ("==", "!="):
            met = compare(held, value)
        else:
            each = held if isinstance(held, list) else [held]
            met = all(type(v) in (int, float) and compare(v, value) for v in each)
        if not met:
            return False
    return True


@fuzzed(100, text=st.one_of(CONDITIONS, st.text(max_size=30)))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    check = accepted(lambda: parse_check(text), UsageError)
    if check is not None:
        accepted(lambda: require([check], CLAIMS), UsageError, CheckFailed)


@fuzzed(
    60,
    name=st.sampled_from([*CLAIMS, "L*H*.entropy", "*s", "l*"]),
    symbol=st.sampled_from([*OPERATORS]),
    value=st.one_of(st.sampled_from([0.25, 300, 2.5, 0.5]), st.integers(), st.floats(-1e9, 1e9)),
)
def test_a_condition_is_pythons_own_comparison(name: str, symbol: str, value: float) -> None:
    try:
        require([parse_check(f"{name} {symbol} {json.dumps(value)}")], CLAIMS)
        is_met = True
    except CheckFailed:
        is_met = False
    assert is_met == expected(name, symbol, value)


@fuzzed(8, text=CONDITIONS)
def test_a_command_ends_with_the_code_of_its_checks(commands: Commands, text: str) -> None:
    if "\x00" in text:
        return
    answer = commands.answered("inspect", "modadd", "--json", f"--check={text}", codes=(0, 2, 4))
    if answer.exit_code == 4:
        assert answer.message.startswith("check not met: ")
        answer.document()


@pytest.mark.parametrize(
    "text",
    [
        "x == " + "[" * 100_000,
        "x == " + "9" * 5000,
        "x == a" + " " * 50_000 + "b",
        " " * 50_000,
        "a" * 50_000,
        "*a" * 5_000 + " > 1",
        "loss > NaN",
        "loss > 1e999",
        "loss\x1b[31m > 1",
    ],
    ids=range(9),
)
def test_a_text_that_is_hard_to_read_is_refused_in_words(text: str) -> None:
    with bounded(10), pytest.raises((UsageError, CheckFailed)) as failure:
        require([parse_check(text)], CLAIMS)
    assert len(str(failure.value)) < 1500
