"""Two processes on one folder: the second is refused at once; a reader sees what is whole."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mitool.models.subject import load
from mitool.storage import atomic, layout
from tests.faults.cases import CASES, FEW, MODADD, outcome
from tests.faults.conftest import Whole
from tests.faults.processes import Commands

Place = Callable[[str], Path]
CLAIMING = [parameter for parameter in FEW if parameter.values != ("convert",)]
"""What keeps a folder for itself; convert writes a file, whole or not at all."""


@pytest.mark.parametrize("name", CLAIMING)
def test_a_second_process_is_refused_and_touches_nothing(
    name: str,
    commands: Commands,
    place: Place,
    whole: Callable[[str], Whole],
    draw: random.Random,
) -> None:
    case, folder = CASES[name], place(name)
    held = {"counted": str(folder / "out"), "signum": signal.SIGSTOP}
    first = commands.start(case.arguments, folder, struck_at=draw.randint(2, 6), **held)
    first.wait_for(lambda: first.status() == "stopped")
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    for option in ([], ["--overwrite"], ["--resume"] * case.resumed):
        second = commands.run([*case.arguments, *option], folder)
        assert second.exit_code == 2
        assert "another run of mitool is writing here; wait for it" in second.error
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")} == before
    first.send(signal.SIGCONT)
    assert first.wait().exit_code == 0
    assert outcome(folder / "out") == whole(name).left


def test_the_lock_of_a_process_that_died_is_no_lock(
    commands: Commands, place: Place, whole: Callable[[str], Whole]
) -> None:
    folder = place("attn")
    (folder / "out" / layout.LOCK).write_text(str(os.getpid()))
    assert commands.run(CASES["attn"].arguments, folder).exit_code == 0
    assert outcome(folder / "out") == whole("attn").left


def test_a_reader_of_a_run_that_trains_sees_whole_files(commands: Commands, tmp_path: Path) -> None:
    line = MODADD.replace("--checkpoint-every 20", "--checkpoint-every 1")
    running = commands.start([*line.split(), "--epochs", "100000", "-o", "out"], tmp_path)
    run = tmp_path / "out"
    running.wait_for((run / layout.RESUME).exists)
    epochs: list[int] = []
    begun = time.monotonic()
    while time.monotonic() - begun < 1.0 or len(set(epochs)) < 5:
        epochs.append(load(run).metadata.epoch)
        assert len(atomic.read_lines(run / layout.METRICS)) >= 1
        assert atomic.read_json(run / layout.CONFIG)["seed"] == 0
        assert running.is_running()
    assert commands.run(["inspect", "out"], tmp_path).exit_code == 0
    arguments = ["analyze", "attn", "out", "--threads", "1", "--format", "html"]
    assert commands.run(arguments, tmp_path).exit_code == 0
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 143
    assert epochs == sorted(epochs)
