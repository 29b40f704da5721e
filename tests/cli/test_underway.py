"""A run that is studied before it has ended says so, wherever its claims go."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mitool
from mitool.core.device import host
from mitool.models.subject import load
from mitool.settings import ModelSettings, TrainingSettings
from mitool.storage import checkpoint, layout
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig, train
from tests.cli.conftest import Invoke

TASK = ModAdd(p=5, frac_train=0.6)
MODEL = ModelSettings(n_layers=1, n_heads=1, d_model=8)
TRAINING = TrainingSettings(epochs=8, lr=1e-3, eval_every=4, checkpoint_every=4)
DOUBT = "the run is at epoch 4 of 8: it is still training, or was interrupted"


class Stop(Exception):
    """Ends a training on its way."""


class Stopper:
    """Ends a training after some epochs, as a signal or a lack of power would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def epoch_done(self, epoch: int) -> None:
        pass

    def evaluated(self, evaluation: Any) -> None:
        if evaluation.epoch > self.epoch:
            raise Stop


def run(folder: Path, *, stopped_after: int | None = None, **training: Any) -> Path:
    settings = replace(TRAINING, **training)
    observers = [] if stopped_after is None else [Stopper(stopped_after)]
    try:
        train(RunConfig(TASK, MODEL, settings, host(1)), folder, observers=observers)
    except Stop:
        assert stopped_after is not None
    return folder


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run of 8 epochs whose last checkpoint is of the fourth."""
    folder = run(tmp_path / "stopped", stopped_after=4)
    assert checkpoint.load(folder)[1].epoch == 4
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "fourier"],
        ["analyze", "attn"],
        ["patch", "--n-pairs", "8"],
        ["analyze", "circuit", "--n-pairs", "8"],
    ],
    ids=lambda words: words[1] if words[0] == "analyze" else words[0],
)
def test_every_study_of_a_run_on_its_way_says_so(
    invoke: Invoke, stopped: Path, words: list[str]
) -> None:
    checks = ["--check", "run_ended == false"]
    done = invoke(*words, str(stopped), "-o", "out", "--format", "html", *checks)
    assert done.exit_code == 0, done.stderr
    assert f"Warning: {DOUBT}" in done.stderr
    document = json.loads(Path("out", layout.RESULT).read_text())
    assert any(warning.startswith(DOUBT) for warning in document["warnings"])
    assert document["claims"]["run_ended"] is False
    assert DOUBT in Path("out", layout.REPORT).read_text()
    failed = invoke(
        *words, str(stopped), "-o", "2", "--format", "html", "--check", "run_ended == true"
    )
    assert failed.exit_code == 4
    assert DOUBT in failed.stderr
    assert "check not met: run_ended == true (it is false)" in failed.stderr


def test_inspection_and_conversion_say_so_too(invoke: Invoke, stopped: Path) -> None:
    for words in (
        ["inspect", str(stopped)],
        ["convert", str(stopped), "--to", "bridge", "-o", "b.safetensors"],
    ):
        done = invoke(*words)
        assert done.exit_code == 0, done.stderr
        assert DOUBT in done.stderr


def test_python_says_so(stopped: Path) -> None:
    found = mitool.load(stopped).attention(progress=False)
    assert found.claims["run_ended"] is False
    assert any(warning.startswith(DOUBT) for warning in found.warnings)


def test_a_run_that_has_ended_is_studied_without_a_doubt(tmp_path: Path) -> None:
    whole = load(run(tmp_path / "whole"))
    assert (whole.run_ended, whole.notes) == (True, ())
    found = mitool.load(tmp_path / "whole").attention(progress=False)
    assert found.claims["run_ended"] is True
    assert not [warning for warning in found.warnings if "the run is at" in warning]


def test_a_run_that_stops_by_its_own_settings_has_ended(tmp_path: Path) -> None:
    ended = mitool.train(
        "modadd",
        p=5,
        frac_train=0.6,
        out=tmp_path / "ended",
        epochs=8,
        d_model=8,
        n_heads=1,
        eval_every=4,
        stop_test_loss=99.0,
        progress=False,
    )
    assert ended.claims["epochs"] == 0
    assert load(tmp_path / "ended").run_ended is True
    # the record of an earlier end says nothing of a run that has gone on since
    document = json.loads((tmp_path / "ended" / layout.RESULT).read_text())
    document["claims"]["epochs"] = 2
    (tmp_path / "ended" / layout.RESULT).write_text(json.dumps(document))
    assert load(tmp_path / "ended").run_ended is False


def test_a_checkpoint_that_is_chosen_or_alone_is_no_run(stopped: Path) -> None:
    chosen = load(checkpoint.trajectory(stopped)[0])
    assert (chosen.run_ended, chosen.notes) == (None, ())
    alone = stopped.parent / "alone.safetensors"
    alone.write_bytes((stopped / layout.CHECKPOINT).read_bytes())
    assert (load(alone).run_ended, load(alone).notes) == (None, ())


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        (["superpose", "intro", "--steps", "40", "--n-instances", "2"], "step"),
        (["superpose", "mono", "--scale", "small", "--log2-training-steps", "4"], "step"),
    ],
    ids=["intro", "mono"],
)
def test_toy_models_say_so(invoke: Invoke, words: list[str], unit: str) -> None:
    assert invoke(*words, "-o", "run", "--format", "html").exit_code == 0
    tensors, metadata = checkpoint.load(Path("run"))
    command = words[:2]
    whole = invoke(*command, "--from", "run", "-o", "whole", "--json", "--format", "html")
    assert json.loads(whole.stdout)["claims"]["run_ended"] is True
    checkpoint.save(Path("run", layout.CHECKPOINT), tensors, replace(metadata, epoch=3, step=3))
    done = invoke(*command, "--from", "run", "-o", "on-its-way", "--json", "--format", "html")
    assert json.loads(done.stdout)["claims"]["run_ended"] is False
    assert f"the run is at {unit} 3 of {metadata.step}: it is still training" in done.stderr
