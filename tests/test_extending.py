"""The changes that the page on adding to mitool tells its reader to make, made and used."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
CHANGES = re.findall(r"```diff\n--- (\S+)\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = (
    "plant copy -o copy",
    "patch copy --pairs copy/pairs.csv --metric margin --site z -o patched",
    "analyze circuit copy --pairs copy/pairs.csv --truth copy/truth.txt --method eap-corrupted "
    "--metric margin --check auroc==1 -o found",
)
RUN_ALL = """
import sys
from typer.testing import CliRunner
from mitool.cli.main import app

for line in sys.argv[1:]:
    options = [] if line.startswith("plant") else ["--format", "html"]
    done = CliRunner().invoke(app, [*line.split(), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
"""


def apply(change: str, path: Path) -> None:
    """Make a change as a diff shows it, of lines that are in the file once."""
    lines = [(line[:1], line[1:]) for line in change.splitlines()]
    old, new = (
        "".join(f"{text}\n" for sign, text in lines if sign in ("", " ", own)) for own in "-+"
    )
    found = path.read_text() if path.exists() else ""
    assert found.count(old) == 1 if old else not found, (path, old)
    path.write_text(found.replace(old, new) if old else new)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the package with all changes of the page."""
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mitool", tmp_path / "mitool", ignore=without)
    for path, change in CHANGES:
        apply(change, tmp_path / path)
    return tmp_path


def test_a_metric_and_a_method_are_added_as_the_page_says(changed: Path) -> None:
    assert len(CHANGES) == 7
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *COMMANDS],
        cwd=changed,
        env={**os.environ, "PYTHONPATH": str(changed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    config = json.loads((changed / "patched" / "result.json").read_text())["config"]
    assert config["metric"] == "margin"
    config = json.loads((changed / "found" / "result.json").read_text())["config"]
    assert (config["method"], config["metric"]) == ("eap-corrupted", "margin")


def test_the_changes_are_well_formed(changed: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    shutil.copy(ROOT / "pyproject.toml", changed)
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        files = sorted({path for path, _ in CHANGES})
        done = subprocess.run(
            [*ruff, *command, *files], cwd=changed, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_every_module_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:mitool|tests)/[\w/]+(?:\.py)?)/?`", PAGE)
    assert len(named) >= 5
    for path in named:
        assert (ROOT / path).exists(), path
