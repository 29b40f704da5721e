from pathlib import Path
from typing import Any

import pytest

import mitool
from tests.cli.conftest import invoke as invoke

TINY: dict[str, Any] = {"p": 5, "epochs": 6, "d_model": 8, "n_heads": 2}
"""Settings of a training that takes no time."""

HERE: dict[str, Any] = {"threads": 1, "progress": False}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> mitool.Run:
    """A finished run, which no test changes."""
    return mitool.train("modadd", out=tmp_path_factory.mktemp("api") / "run", **TINY, **HERE)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by their names in it."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    """A result's record without the times in it, and without what was typed."""
    return {
        name: value
        for name, value in document.items()
        if name not in ("seconds", "finished", "command_line")
    }
