"""SIGINT and SIGTERM at random in every long command: its exit code, one message, nothing lost."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import CASES, FEW, NAMES, outcome, require_whole
from tests.faults.conftest import Whole
from tests.faults.processes import Commands

Place = Callable[[str], Path]
WholeOf = Callable[[str], Whole]
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("name", FEW)
def test_an_interrupted_command_says_so_and_comes_to_the_same(
    name: str, commands: Commands, place: Place, whole: WholeOf, draw: random.Random
) -> None:
    interrupt(name, draw.choice(SIGNALS), commands, place(name), whole(name), draw)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("signum", SIGNALS, ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("name", NAMES)
def test_either_signal_does(
    name: str, signum: signal.Signals, seed: int, commands: Commands, place: Place, whole: WholeOf
) -> None:
    interrupt(name, signum, commands, place(name), whole(name), random.Random(seed))


def interrupt(
    name: str,
    signum: signal.Signals,
    commands: Commands,
    folder: Path,
    whole: Whole,
    draw: random.Random,
) -> None:
    case, at = CASES[name], draw.randint(1, whole.changes)
    struck = {"counted": str(folder / "out"), "struck_at": at, "signum": signum}
    done = commands.run(case.arguments, folder, **struck)
    require_whole(folder)
    assert done.exit_code == 128 + signum
    assert "interrupted" in done.error
    if "after" in done.error:
        assert "the same again with --resume goes on" in done.error
    left = outcome(folder / "out")
    if left != whole.left:
        # of what cannot be gone on with nothing remains
        assert case.resumed or not set(left) - {".lock"}
        assert commands.run(case.again, folder).exit_code == 0
    assert outcome(folder / "out") == whole.left
