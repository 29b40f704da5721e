"""One message for every command line that cannot be read: expected, found, remedy, exit code 2."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitool.cli.main import app
from tests.cli.conftest import Invoke

MISREAD = {
    "train modadd --frac-trian 0.5": "no option --frac-trian: did you mean "
    "'--frac-train'? mitool train modadd --help says what there is",
    "train modadd --P 5": "no option --P: did you mean '--p'? "
    "mitool train modadd --help says what there is",
    "doctor --frobnicate": "no option --frobnicate: mitool doctor --help says what there is",
    "train modadd -epochs 4": "no option -e: long names have two dashes; "
    "mitool train modadd --help says what there is",
    "--json tasks": "no option --json: a command's options follow its name; "
    "mitool --help says what there is",
    "--verson": "no option --verson: did you mean '--version'? mitool --help says what there is",
    "train modadd --p 5.5": "--p: expected a whole number, found '5.5'",
    "train modadd --lr fast": "--lr: expected a number, found 'fast'",
    "train modadd --betas 0.9 x": "--betas: expected a number, found 'x'",
    "train modadd --betas 0.9": "--betas: expected NUMBER NUMBER, found fewer",
    "train modadd --lr": "--lr: expected NUMBER, found none",
    "train modadd --stop-on-grok=yes": "--stop-on-grok: expected no value, found one; leave it out",
    "train modadd --seed -1": "--seed: expected 0 <= seed <= 9223372036854775807, found '-1'",
    "sweep x --jobs 0": "--jobs: expected jobs >= 1, found '0'",
    "train modadd --op subtrct": "--op: expected one of add, subtract, multiply, square-sum, "
    "found 'subtrct'; did you mean 'subtract'?",
    "analyze circuit x --level tree": "--level: expected one of edge, node, neuron, found 'tree'",
    "inspect a b": "expected mitool inspect MODEL [OPTIONS], found 'b' as well; "
    "mitool inspect --help says what there is",
    "train min epochs 5": "expected mitool train min [OPTIONS], found 'epochs 5' as well; "
    "did you mean '--epochs'? mitool train min --help says what there is",
    "analyze fourier": "expected PATH (A checkpoint, or a run directory), found none; "
    "such as: mitool analyze fourier runs/first --checkpoints all",
}


@pytest.mark.parametrize("line", MISREAD)
def test_a_line_that_cannot_be_read_is_one_message(invoke: Invoke, line: str) -> None:
    done = invoke(*line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"Error: {MISREAD[line]}\n"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("tsks", "no command named 'tsks': did you mean 'tasks'?"),
        ("fourier x", "no command named 'fourier': did you mean 'mitool analyze fourier'?"),
        ("mono LR1", "no command named 'mono': did you mean 'mitool superpose mono'?"),
        ("modad", "no command named 'modad': did you mean 'mitool train modadd'?"),
        (
            "analyze patch x",
            "no command named 'patch': did you mean 'mitool patch'? known: fourier",
        ),
        ("analyze atn x", "no command named 'atn': did you mean 'attn'? known: fourier, attn"),
        ("superpose intor", "no experiment named 'intor': did you mean 'intro'?"),
        ("train Modadd", "no task named 'Modadd': did you mean 'modadd'? known: digits"),
        ("train fourier", "no task named 'fourier': did you mean 'mitool analyze fourier'?"),
        ("convert x --task moddadd", "no task named 'moddadd': did you mean 'modadd'?"),
        ("plant inductoin", "no planted model named 'inductoin': did you mean 'induction'?"),
        ("xyzzyx", "no command named 'xyzzyx': known: train, analyze, superpose, patch"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest_anywhere(
    invoke: Invoke, line: str, meant: str
) -> None:
    done = invoke(*line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {meant}")
    assert done.stderr.count("\n") == 1


def test_an_error_leaves_stdout_empty_with_json_too(invoke: Invoke) -> None:
    done = invoke("train", "modadd", "--json", "--p", "x")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Error: --p: expected a whole number, found 'x'\n"


@pytest.mark.parametrize("words", [["train", "modadd", "-o", ""], ["inspect", ""], ["report", ""]])
def test_an_empty_value_is_not_taken_for_this_folder(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "expected a value, found an empty one" in done.stderr
    assert not list(tmp_path.iterdir())
