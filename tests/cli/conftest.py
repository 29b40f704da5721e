import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mitool.cli.main import app

Invoke = Callable[..., Result]
Shell = Callable[..., subprocess.CompletedProcess[str]]

QUICK = ("--p", "5", "--epochs", "6", "--d-model", "8", "--n-heads", "2", "--format", "html")
"""Options of a training that takes no time."""


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a command as a process, in a folder of its own."""

    def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            mitool(arguments),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            check=False,
        )

    return run


def mitool(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "mitool", *arguments]
