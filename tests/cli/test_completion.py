"""What shells are told when a line is to be completed."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitool import tasks
from mitool.cli.main import app
from mitool.planted import NAMES
from mitool.settings.monosemanticity import PRESETS
from tests.cli.conftest import mitool


def completed(line: str) -> list[str]:
    """What bash is told of a line, which ends where the cursor is."""
    words = line.split(" ")
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return _ask("bash", typed).split()


def _ask(shell: str, typed: dict[str, str]) -> str:
    environment = {"_MITOOL_COMPLETE": f"complete_{shell}", **typed}
    done = CliRunner().invoke(app, [], env=environment, catch_exceptions=False)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mitool s", ["superpose", "sweep"]),
        ("mitool analyze ", ["fourier", "attn", "circuit"]),
        ("mitool superpose g", ["geometry"]),
        ("mitool train mod", ["modadd"]),
        ("mitool train modadd --fr", ["--frac-train"]),
        ("mitool train permute --le", ["--length"]),
        ("mitool train modadd --op s", ["subtract", "square-sum"]),
        ("mitool train min --device ", ["auto", "cpu", "cuda", "mps"]),
        ("mitool train min --dtype ", ["float32", "float64"]),
        ("mitool train min --format ", ["html", "png", "html,png"]),
        ("mitool superpose mono LR", [f"LR{i}" for i in range(1, 6)]),
        ("mitool superpose mono --scale ", ["published", "small"]),
        ("mitool analyze circuit x --method eap", ["eap", "eap-ig", "eap-ig-activations"]),
        ("mitool analyze circuit x --task ", ["greater-than", "ioi"]),
        ("mitool analyze fourier x --checkpoints ", ["last", "all"]),
        ("mitool patch x --task i", ["ioi"]),
        ("mitool patch x --metric l", ["logit-diff", "log-prob"]),
        ("mitool patch x --site resid", ["resid_pre", "resid_mid", "resid_post"]),
        ("mitool convert x --task mo", ["modadd"]),
        ("mitool convert x --task modadd --o", ["--op", "--out", "--overwrite"]),
        ("mitool patch x --pairs ", []),  # files, which the shell knows
        ("mitool train ./my", []),  # likewise
        ("mitool nothing ", []),
    ],
)
def test_names_and_options_are_completed(line: str, offered: list[str]) -> None:
    found = completed(line)
    if line == "mitool nothing ":
        assert "train" in found
    else:
        assert found == offered


def test_whole_registries_are_completed() -> None:
    assert completed("mitool train ") == tasks.names()
    assert completed("mitool plant ") == list(NAMES)
    assert completed("mitool superpose mono ") == list(PRESETS)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("runs/first", "runs/three/seed0", "runs/grid/points/p=29", "here"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "ckpt.safetensors").touch()
    (tmp_path / "runs/first/checkpoints").mkdir()
    (tmp_path / "runs/first/checkpoints/00000003.safetensors").touch()
    (tmp_path / "runs/empty").mkdir()
    (tmp_path / "bridge.safetensors").touch()
    return tmp_path


@pytest.mark.parametrize(
    "command", ["analyze attn", "analyze fourier", "analyze circuit", "patch", "inspect"]
)
def test_runs_and_checkpoints_are_completed(runs: Path, command: str) -> None:
    below = ["runs/first", "runs/grid/points/p=29", "runs/three/seed0"]
    assert completed(f"mitool {command} ") == ["bridge.safetensors", "here", *below]
    assert completed(f"mitool {command} runs/") == below
    assert completed(f"mitool {command} runs/first/c") == [
        "runs/first/checkpoints/00000003.safetensors",
        "runs/first/ckpt.safetensors",
    ]
    assert completed(f"mitool {command} {runs}/runs/f") == [f"{runs}/runs/first"]
    assert completed(f"mitool {command} ./h") == ["./here"]
    assert completed(f"mitool {command} runs/e") == []


def test_models_to_draw_are_completed(runs: Path) -> None:
    assert completed("mitool superpose phase --from runs/f") == ["runs/first"]


def test_zsh_and_fish_are_told_what_is_offered() -> None:
    line = {"_TYPER_COMPLETE_ARGS": "mitool train modadd --op s"}
    assert '"subtract"\n"square-sum"' in _ask("zsh", line)
    offered = _ask("fish", {**line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"})
    assert offered.splitlines() == ["subtract", "square-sum"]
    option = {"_TYPER_COMPLETE_ARGS": "mitool train modadd --frac"}
    assert "Share of the p^2 pairs that train" in _ask("zsh", option)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_the_script_that_it_is_given(runs: Path) -> None:
    program = runs / "bin" / "mitool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mitool "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    lines = """
        eval "$(_MITOOL_COMPLETE=source_bash mitool)"
        complete -p mitool
        COMP_WORDS=(mitool inspect runs/f) COMP_CWORD=2
        _mitool_completion mitool
        echo "${COMPREPLY[@]}"
    """
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", lines],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o default -F _mitool_completion mitool",
        "runs/first",
    ]


@pytest.mark.timed
@pytest.mark.parametrize("line", ["mitool train mod", "mitool train modadd --fr", "mitool patch "])
def test_completion_is_fast(line: str, tmp_path: Path) -> None:
    """Under 0.5 s; the best of five, as another process may be at work."""
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    environment = {**os.environ, "_MITOOL_COMPLETE": "complete_bash", **typed}
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            mitool([]), cwd=tmp_path, stdout=subprocess.DEVNULL, env=environment, check=False
        )
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5
