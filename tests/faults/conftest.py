import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.cases import CASES, GIVEN, Case, outcome
from tests.faults.processes import Commands

PAGE = 4096


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Runs commands as processes."""
    made = Commands(tmp_path_factory.mktemp("streams"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def given(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run that is analysed."""
    folder = tmp_path_factory.mktemp("given")
    done = commands.run(GIVEN.split(), folder)
    assert done.exit_code == 0, done.stderr
    return folder / "given"


@dataclass(frozen=True)
class Whole:
    """A command that nothing befell.

    Attributes:
        left: what it left; see ``outcome``.
        changes: how often it changed its folder.
        size: bytes of it on a disk of pages.
    """

    left: dict[str, Any]
    changes: int
    size: int
    seconds: float


@pytest.fixture(scope="session")
def whole(
    commands: Commands, given: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Whole]:
    """What comes of a case that nothing befalls."""
    known: dict[str, Whole] = {}

    def run(name: str) -> Whole:
        if name not in known:
            folder = tmp_path_factory.mktemp("whole")
            prepare(folder, CASES[name], given)
            counted = {"counted": str(folder / "out"), "count_into": str(folder / "count")}
            done = commands.run(CASES[name].arguments, folder, **counted)
            assert done.exit_code == 0, done.stderr
            changes = int((folder / "count").read_text())
            sizes = [p.stat().st_size for p in (folder / "out").rglob("*") if p.is_file()]
            size = sum(-(-size // PAGE) * PAGE for size in sizes)
            known[name] = Whole(outcome(folder / "out"), changes, size, done.seconds)
        return known[name]

    return run


@pytest.fixture
def mounted() -> Iterator[Callable[[Path, str], None]]:
    """Makes a folder a file system in memory, with options as ``size=300k``; or changes them."""
    folders: list[Path] = []

    def mount(folder: Path, options: str) -> None:
        again = ["-o", f"remount,{options}"] if folder in folders else ["-o", options]
        command = ["mount", "-t", "tmpfs", *again, "tmpfs", str(folder)]
        if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small disk needs the right to mount one, which root has")
        folders.append(folder)

    yield mount
    for folder in set(folders):
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def place(tmp_path: Path, given: Path) -> Callable[[str], Path]:
    """Makes the folder that a case runs in."""

    def make(name: str) -> Path:
        prepare(tmp_path, CASES[name], given)
        return tmp_path

    return make


def prepare(folder: Path, case: Case, given: Path) -> None:
    if case.given:
        shutil.copytree(given, folder / "given")
    (folder / "out").mkdir()


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that are the same in each run of a test."""
    return random.Random(request.node.name)
