"""A file system that cannot be written: refused before any work, and read like any other."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import CASES, NAMES, outcome
from tests.faults.conftest import Whole
from tests.faults.processes import Commands

Mount = Callable[[Path, str], None]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    name: str, commands: Commands, place: Callable[[str], Path], mounted: Mount
) -> None:
    folder = place(name)
    mounted(folder / "out", "ro")
    is_new_folder = len(name) % 2
    line = CASES[name].line.replace("-o out", "-o out/new" if is_new_folder else "-o out")
    done = commands.run(shlex.split(line), folder)
    assert done.exit_code == 2
    assert "cannot be written" in done.error
    assert "choose another --out" in done.error
    assert "writing" not in done.stderr
    assert "epoch" not in done.stderr


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.given])
def test_a_run_that_cannot_be_written_can_be_studied(
    name: str,
    commands: Commands,
    place: Callable[[str], Path],
    whole: Callable[[str], Whole],
    mounted: Mount,
    given: Path,
) -> None:
    folder = place(name)
    disk = folder / "disk"
    disk.mkdir()
    mounted(disk, "size=16m")
    (folder / "given").rename(folder / "moved")
    (folder / "given").symlink_to(disk)
    for path in (folder / "moved").rglob("*"):
        copy = disk / path.relative_to(folder / "moved")
        copy.mkdir() if path.is_dir() else copy.write_bytes(path.read_bytes())
    mounted(disk, "ro")
    assert commands.run(["inspect", "given"], folder).exit_code == 0
    done = commands.run(CASES[name].arguments, folder)
    assert done.exit_code == 0, done.stderr
    assert outcome(folder / "out") == whole(name).left
    beside = [word for word in CASES[name].arguments if word not in ("-o", "out")]
    if name != "convert":
        refused = commands.run(beside, folder)
        assert refused.exit_code == 2
        assert "choose another --out" in refused.error
