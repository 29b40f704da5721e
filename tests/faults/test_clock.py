"""A clock that is set back and forward during a run, and files from the future."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mitool.storage import atomic, layout
from tests.faults.cases import CASES, outcome
from tests.faults.conftest import Whole
from tests.faults.processes import Commands

Place = Callable[[str], Path]
DAY = 86_400.0
SAMPLE = ("full batch", "superpose intro", "patch")


@pytest.mark.parametrize("name", SAMPLE)
def test_a_clock_that_jumps_by_days_changes_nothing(
    name: str, commands: Commands, place: Place, whole: Callable[[str], Whole]
) -> None:
    folder = place(name)
    done = commands.run(CASES[name].arguments, folder, clock_jumps=DAY)
    assert done.exit_code == 0, done.stderr
    assert outcome(folder / "out") == whole(name).left
    assert 0 < atomic.read_json(folder / "out" / layout.RESULT)["seconds"] < done.seconds


def test_a_run_that_is_gone_on_with_before_it_began_counts_seconds_on(
    commands: Commands, place: Place, whole: Callable[[str], Whole], draw: random.Random
) -> None:
    case, folder = CASES["full batch"], place("full batch")
    at = draw.randint(whole("full batch").changes // 2, whole("full batch").changes)
    jumps = {"clock_jumps": DAY, "counted": str(folder / "out"), "struck_at": at}
    assert commands.run(case.arguments, folder, **jumps).exit_code < 0
    for path in [*(folder / "out").rglob("*"), folder / "out"]:
        os.utime(path, (time.time() + 1000 * DAY,) * 2)
    done = commands.run(case.again, folder, clock_jumps=-DAY)
    assert done.exit_code == 0, done.stderr
    assert outcome(folder / "out") == whole("full batch").left
    seconds = [line["seconds"] for line in atomic.read_lines(folder / "out" / layout.METRICS)]
    assert seconds == sorted(seconds)
    assert seconds[0] == 0.0
    claims = atomic.read_json(folder / "out" / layout.RESULT)["claims"]
    assert 0 < claims["seconds_training"] < 10
    assert claims["steps_per_second"] > 0
