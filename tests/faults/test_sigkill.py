"""SIGKILL at random in every long command: nothing is lost, and the same comes of it in the end.

Half of the kills come before one of the changes that the command makes to its folder, which is
when a file may be half there; the other half come at any time.
"""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mitool.storage import layout
from mitool.storage.checkpoint import read_tensors
from tests.faults.cases import CASES, NAMES, outcome, require_whole
from tests.faults.conftest import Whole
from tests.faults.processes import Commands

Place = Callable[[str], Path]
WholeOf = Callable[[str], Whole]


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_command_comes_to_the_same(
    name: str, commands: Commands, place: Place, whole: WholeOf, draw: random.Random
) -> None:
    kill_and_go_on(name, 2, commands, place(name), whole(name), draw)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(4))
def test_a_command_killed_many_times_comes_to_the_same(
    name: str, seed: int, commands: Commands, place: Place, whole: WholeOf
) -> None:
    kill_and_go_on(name, 10, commands, place(name), whole(name), random.Random(seed))


def test_twenty_sigkills_come_to_the_same(
    commands: Commands, place: Place, whole: WholeOf, draw: random.Random
) -> None:
    folder, goal = place("long"), whole("long")
    epochs, arguments = [0], CASES["long"].arguments
    for _ in range(20):
        # so few that twenty do not finish the run, so many that some get past a checkpoint
        at = draw.randint(1, goal.changes // 10)
        done = commands.run(arguments, folder, counted=str(folder / "out"), struck_at=at)
        assert done.exit_code == -signal.SIGKILL
        require_whole(folder)
        if (folder / "out" / layout.RESUME).exists():
            epochs.append(read_tensors(folder / "out" / layout.RESUME)[1]["epoch"])
        arguments = CASES["long"].again
    assert epochs == sorted(epochs)
    assert len(set(epochs)) > 5
    assert commands.run(arguments, folder).exit_code == 0
    assert outcome(folder / "out") == goal.left


def kill_and_go_on(
    name: str, kills: int, commands: Commands, folder: Path, whole: Whole, draw: random.Random
) -> None:
    """Kill a command several times, each time going on where it was, and then let it be."""
    arguments, ways = CASES[name].arguments, [kill_at_a_change, kill_at_any_time]
    for index in range(kills):
        ways[index % 2](commands, arguments, folder, whole, draw)
        require_whole(folder)
        arguments = CASES[name].again
    done = commands.run(arguments, folder)
    if done.exit_code == 2 and not CASES[name].resumed:
        # the kill came when all had been written
        assert "already holds a result" in done.error or "is there already" in done.error
    else:
        assert done.exit_code == 0, done.stderr
    assert outcome(folder / "out") == whole.left


def kill_at_a_change(
    commands: Commands, arguments: list[str], folder: Path, whole: Whole, draw: random.Random
) -> None:
    at = draw.randint(1, whole.changes)
    done = commands.run(arguments, folder, counted=str(folder / "out"), struck_at=at)
    assert done.exit_code in (-signal.SIGKILL, 0, 2), done.stderr


def kill_at_any_time(
    commands: Commands, arguments: list[str], folder: Path, whole: Whole, draw: random.Random
) -> None:
    running = commands.start(arguments, folder)
    time.sleep(draw.random() * whole.seconds)
    running.send(signal.SIGKILL)
    assert running.wait().exit_code in (-signal.SIGKILL, 0, 2)
