"""Grids: the syntax of axes, and files of axes and points."""

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from mitool.core.errors import InputError, UsageError
from mitool.sweeps.base import point_name
from mitool.sweeps.grid import MOST_POINTS, parse_grid, parse_values, read_grid
from tests.fuzz.commands import Commands, accepted, bounded, require_readable
from tests.fuzz.documents import DEEP, VALUES, damaged, dumped
from tests.fuzz.profiles import fuzzed

AXES = st.sampled_from(
    ["p", "seed", "lr", "d-model", "d_model", "op", "betas", "out", "stop-on-grok"]
)
PARTS = st.one_of(
    st.integers(-5, 200).map(str),
    st.sampled_from(["0:10", "0:10:2", "5:0:-1", "0:10**12", "0:1e12", "0:1:1e-9", "0:0", "0:1:0"]),
    st.sampled_from(["1..10:3", "1e-300..1e300:3", "0..1:2", "1..1e999:2", "1..2:99999999999"]),
    st.sampled_from(
        ["1e999:1e999:1e-999", "-1e999:1e999:1e998", "add", "true", "", " ", "0.9 0.98"]
    ),
    st.text("0123456789.:eE+- ", max_size=10),
    st.text(max_size=6),
)
VALUES_OF_AXIS = st.lists(PARTS, min_size=1, max_size=3).map(",".join)
TEXTS = st.one_of(st.tuples(AXES, st.just("="), VALUES_OF_AXIS).map("".join), st.text(max_size=12))
GRIDS = st.one_of(
    VALUES,
    st.dictionaries(AXES, st.one_of(VALUES, st.lists(st.integers(2, 9)), VALUES_OF_AXIS)),
    st.lists(st.dictionaries(AXES, st.one_of(VALUES, PARTS)), max_size=3),
)
REFUSED = ("--out", "file")
"""A sweep that is understood ends here, before any point is run."""


@fuzzed(100, texts=st.lists(TEXTS, max_size=3))
def test_any_texts_are_a_grid_or_refused(texts: list[str]) -> None:
    points = accepted(lambda: parse_grid(texts), UsageError)
    if points is None:
        return
    assert 0 < len(points) <= MOST_POINTS
    assert all(point.keys() == points[0].keys() for point in points)
    assert len({point_name(point) for point in points[:50]}) == len(points[:50])


@fuzzed(
    50,
    first=st.integers(-(10**6), 10**6),
    count=st.integers(1, 50),
    step=st.integers(-1000, 1000).filter(bool),
)
def test_a_range_is_pythons_own(first: int, count: int, step: int) -> None:
    last = first + count * step
    assert parse_values(f"{first}:{last}:{step}", "x") == list(map(str, range(first, last, step)))


@fuzzed(
    50,
    first=st.floats(1e-300, 1e300),
    last=st.floats(1e-300, 1e300),
    count=st.integers(2, 40),
)
def test_values_in_equal_ratios_are_between_their_ends(
    first: float, last: float, count: int
) -> None:
    values = [Decimal(v) for v in parse_values(f"{first}..{last}:{count}", "x")]
    assert len(values) == count
    logs = [float(value.ln()) for value in values]
    for index, log in enumerate(logs):
        share = index / (count - 1)
        assert math.isclose(
            log, (1 - share) * math.log(first) + share * math.log(last), rel_tol=1e-3, abs_tol=1e-3
        )


@fuzzed(60, name=st.sampled_from(["g.json", "g.toml"]), content=GRIDS.map(dumped), data=st.data())
def test_any_file_is_a_grid_or_refused(
    commands: Commands, name: str, content: bytes, data: st.DataObject
) -> None:
    toml = b'p = [5, 7]\nlr = "1..10:3"\n[x]\ny = 1979-05-27\n'
    content = content if name == "g.json" else toml
    if data.draw(st.booleans()):
        content = data.draw(damaged(content))
    path = commands.folder / name
    path.write_bytes(content)
    points = accepted(lambda: read_grid(path), InputError, UsageError)
    assert points != []
    assert all(isinstance(v, str) and v for point in points or () for v in point.values())


@fuzzed(6, texts=st.lists(TEXTS, min_size=1, max_size=2), content=st.one_of(st.none(), GRIDS))
def test_a_sweep_of_any_grid_is_understood_or_refused(
    commands: Commands, texts: list[str], content: Any
) -> None:
    (commands.folder / "file").touch()
    grid = [f"--grid={text}" for text in texts]
    if content is not None:
        (commands.folder / "g.json").write_bytes(dumped(content))
        grid = ["--grid-file", "g.json"]
    if any("\x00" in word for word in grid):
        return
    command = "train modadd --epochs 1 --device cpu"
    commands.answered("sweep", command, *grid, "--format", "html", *REFUSED, codes=(2, 3))


@pytest.mark.parametrize("content", [DEEP, b"9" * 5000, b"[" + b"{}," * 9 + b"{}]", b"a." * 9999])
@pytest.mark.parametrize("name", ["g.json", "g.toml"])
def test_a_file_that_is_hard_to_read_is_refused_in_words(
    tmp_path: Path, content: bytes, name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with bounded(10), pytest.raises(InputError) as refusal:
        read_grid(tmp_path / name)
    require_readable(str(refusal.value))


def test_a_file_of_many_points_is_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps([{"p": index} for index in range(100_000)]))
    with bounded(10), pytest.raises(UsageError, match="at most 10,000 points, found 100,000"):
        read_grid(path)
    path.write_text(json.dumps({"p": list(range(100_000))}))
    with bounded(10), pytest.raises(UsageError, match="at most 10,000 points, found 100,000"):
        read_grid(path)
