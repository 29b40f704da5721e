"""The examples: with their trainings cut short, and behind ``slow`` whole, with their checks."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from mitool.cli.main import app
from mitool.core.errors import CheckFailed
from tests.pages import short_of

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.sh"))
WORKFLOW = EXAMPLES / "ci" / "mitool.yml"
PLUGIN = EXAMPLES / "custom_task" / "pyproject.toml"
TIMED = [*SCRIPTS, WORKFLOW, PLUGIN, *EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.ipynb")]
NOTE = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["NOTED"], "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
"""
"""A command that only notes how it was called."""


def noted(script: str, folder: Path, *arguments: str) -> list[list[str]]:
    """The commands of mitool that a shell script runs."""
    commands = folder / "bin"
    commands.mkdir()
    (commands / "mitool").write_text(NOTE)
    (commands / "mitool").chmod(0o755)
    environment = {"PATH": f"{commands}:{os.environ['PATH']}", "NOTED": str(folder / "noted")}
    subprocess.run(
        ["/bin/sh", "-eu", "-c", script, "sh", *arguments], cwd=folder, env=environment, check=True
    )
    return [json.loads(line) for line in (folder / "noted").read_text().splitlines()]


def run_short(commands: list[list[str]]) -> None:
    """Run commands in this process, with their trainings cut short, which may not meet checks."""
    for words in commands:
        images = [] if words[0] in ("plant", "report", "doctor") else ["--format", "html"]
        others, checks = parted(words)
        done = CliRunner().invoke(
            app, [*short_of(others), *checks, *images], catch_exceptions=False
        )
        codes = (0, CheckFailed.exit_code) if checks else (0,)
        assert done.exit_code in codes, (words, done.stderr)


def parted(words: list[str]) -> tuple[list[str], list[str]]:
    """The command without its checks, and these."""
    others, checks = [], []
    left = iter(words)
    for word in left:
        if word == "--check":
            checks += [word, next(left)]
        else:
            others.append(word)
    return others, checks


@pytest.mark.long
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_runs_is_right(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = noted(script.read_text(), tmp_path, "out")
    assert len(commands) >= 5
    run_short([words for words in commands if "gpt2" not in words])


@pytest.mark.parametrize("path", TIMED, ids=lambda path: path.name)
def test_an_example_states_its_time(path: Path) -> None:
    assert re.search(r"(?i)time: .*(\d|one) (min|s\b|h).* on two cores", path.read_text()), path


def steps_of_workflow() -> list[str]:
    """What a runner has a shell run, once mitool is installed."""
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    install, *steps = [step["run"] for step in job["steps"] if "run" in step]
    assert install == 'python -m pip install "$MITOOL"'
    return steps


@pytest.mark.long
def test_the_checks_of_the_workflow_are_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = noted("\n".join(steps_of_workflow()), tmp_path)
    assert sum(words.count("--check") for words in commands) == 6
    for words in commands:
        images = ["--format", "html"] if words[0] in ("train", "analyze") else []
        done = CliRunner().invoke(app, [*words, *images], catch_exceptions=False)
        assert done.exit_code == 0, (words, done.stderr)
    assert (tmp_path / "runs" / "modadd" / "index.html").exists()


@pytest.mark.slow
def test_the_workflow_runs(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for step in steps_of_workflow():
        environment = {**os.environ, "PATH": path}
        subprocess.run(["/bin/bash", "-e", "-c", step], cwd=tmp_path, env=environment, check=True)
    assert json.loads((tmp_path / "circuit.json").read_text())["claims"]["auroc"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs_and_its_checks_are_met(script: Path, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run([script, tmp_path / "out"], env={**os.environ, "PATH": path}, check=True)
