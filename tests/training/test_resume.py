"""Runs that are cut off and resumed end in the weights of the uninterrupted run, bit for bit."""

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mitool.core.device import Device
from mitool.core.errors import InputError, Interrupted, MitoolError, UsageError
from mitool.models.subject import load
from mitool.storage import atomic, layout
from mitool.training import sessions, train
from mitool.training.data import Batch
from mitool.training.step import TrainStep
from tests.training.runs import DAMAGED, RUNS, STREAM, StopAt, config, damage, same, weights


@pytest.mark.parametrize("kind", RUNS)
def test_the_same_seed_gives_the_same_bits(tmp_path: Path, kind: str) -> None:
    train(RUNS[kind], tmp_path / "a")
    train(RUNS[kind], tmp_path / "b")
    train(replace(RUNS[kind], seed=1), tmp_path / "c")
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_saves_and_resumes_to_the_same_bits(
    tmp_path: Path, kind: str, signum: signal.Signals
) -> None:
    train(RUNS[kind], tmp_path / "whole")
    with pytest.raises(Interrupted, match="interrupted after epoch 17") as interrupt:
        train(RUNS[kind], tmp_path / "parts", observers=[StopAt(17, signum)])
    assert interrupt.value.exit_code == 128 + signum
    assert load(tmp_path / "parts").metadata.epoch == 17
    result = train(RUNS[kind], tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    whole, parts = (
        [
            {k: v for k, v in line.items() if k != "seconds"}
            for line in atomic.read_lines(tmp_path / name / "metrics.jsonl")
        ]
        for name in ("whole", "parts")
    )
    assert whole == parts
    assert len(result.history) == 9


def test_a_signal_inside_an_epoch_saves_between_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(RUNS["minibatch"], tmp_path / "whole")
    taken = 0
    plain_step = TrainStep.__call__

    def step(self: TrainStep, batch: Batch) -> torch.Tensor:
        nonlocal taken
        taken += 1
        if taken == 38:  # the second of three steps of the thirteenth epoch
            os.kill(os.getpid(), signal.SIGTERM)
        return plain_step(self, batch)

    monkeypatch.setattr(TrainStep, "__call__", step)
    with pytest.raises(Interrupted, match=r"after epoch 12 \(step 38\)"):
        train(RUNS["minibatch"], tmp_path / "parts")
    assert load(tmp_path / "parts").metadata.step == 38
    train(RUNS["minibatch"], tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_signals_have_their_handlers_back_after_a_run(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(config(epochs=2), tmp_path)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_resuming_nothing_starts_and_resuming_a_finished_run_changes_nothing(
    tmp_path: Path,
) -> None:
    first = train(config(), tmp_path, resume=True)
    before = weights(tmp_path)
    again = train(config(), tmp_path, resume=True)
    assert same(before, weights(tmp_path))
    assert again.claims == first.claims


def test_a_finished_run_can_be_made_longer(tmp_path: Path) -> None:
    train(config(epochs=40), tmp_path / "whole")
    train(config(epochs=20), tmp_path / "parts")
    train(config(epochs=40), tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


def test_resuming_with_other_settings_names_the_difference(tmp_path: Path) -> None:
    train(config(), tmp_path)
    with pytest.raises(UsageError, match=r"lr was 0\.001, asked 0\.5"):
        train(config(lr=0.5), tmp_path, resume=True)
    with pytest.raises(UsageError, match="seed was 0, asked 3"):
        train(replace(config(), seed=3), tmp_path, resume=True)


def test_a_run_goes_on_elsewhere_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On fewer cores, and with another torch."""
    with pytest.raises(Interrupted):
        train(config(device=Device("cpu", threads=2)), tmp_path, observers=[StopAt(17)])
    step = load(tmp_path).metadata.step
    alone = config(device=Device("cpu", threads=1))
    monkeypatch.setattr(sessions, "TORCH", "99.0")
    result = train(alone, tmp_path, resume=True)
    assert result.history[-1].epoch == alone.training.epochs
    said = (
        f"from step {step} on the run was computed elsewhere (threads was 2, is 1, torch was "
        f"{torch.__version__}, is 99.0): its bits may differ from those of a run in one place"
    )
    assert said in result.warnings
    held = atomic.read_json(tmp_path / layout.CONFIG)["sessions"]
    assert [(each["step"], each["threads"]) for each in held] == [(0, 2), (step, 1)]
    again = train(config(device=Device("cpu", threads=2)), tmp_path, resume=True)
    assert said in again.warnings  # a finished run computes nothing, and nowhere else
    assert atomic.read_json(tmp_path / layout.CONFIG)["sessions"] == held


def test_a_run_in_one_place_says_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(config(), tmp_path, observers=[StopAt(17)])
    result = train(config(), tmp_path, resume=True)
    assert not [warning for warning in result.warnings if "elsewhere" in warning]


def test_only_what_could_grok_or_memorise_is_warned_of(tmp_path: Path) -> None:
    """A run of fresh examples cannot, nor can one of fewer epochs than grokking is told by."""
    stream = train(STREAM, tmp_path / "stream")
    assert stream.claims["memorised_at"] is stream.claims["grokked_at"] is None
    assert not stream.warnings
    short, long = (
        train(config(epochs=epochs, lr=1e-6), tmp_path / f"{epochs}").warnings
        for epochs in (40, 200)
    )
    memorised = "memorised_at is undefined: at every evaluation some training example was wrong"
    assert short == (memorised,)
    assert long[0] == memorised
    assert long[1].startswith("grokked_at is undefined: test accuracy was not 1 with test loss")


def test_another_number_format_is_another_run(tmp_path: Path) -> None:
    train(config(), tmp_path)
    with pytest.raises(UsageError, match="dtype was float32, asked float64"):
        train(config(device=Device("cpu", "float64")), tmp_path, resume=True)


@pytest.mark.parametrize(("name", "error", "message"), DAMAGED)
def test_resuming_from_a_damaged_file_is_refused(
    tmp_path: Path, name: str, error: type[MitoolError], message: str
) -> None:
    train(config(), tmp_path)
    damage(tmp_path / name)
    with pytest.raises(error, match=message):
        train(config(), tmp_path, resume=True)


def test_a_loss_that_is_no_number_is_no_evaluation(tmp_path: Path) -> None:
    train(config(), tmp_path)
    (line, *_) = atomic.read_lines(tmp_path / layout.METRICS)
    (tmp_path / layout.METRICS).write_text(json.dumps(line | {"test_loss": math.nan}) + "\n")
    with pytest.raises(InputError, match="damaged: expected one JSON object a line"):
        train(config(), tmp_path, resume=True)
