"""Sweeps: the same bits, alone or side by side, stopped and gone on with; diverged models."""

import signal
from pathlib import Path

import pytest
import torch

from mitool.core.device import Device
from mitool.core.errors import InputError, Interrupted, RunError, UsageError
from mitool.settings.monosemanticity import SWEEPABLE
from mitool.storage import atomic, layout
from mitool.storage.checkpoint import load
from mitool.training.monosemanticity import MonosemanticityEvaluation, train_sweep
from tests.training.monosemanticity.sweeps import config, run
from tests.training.runs import StopAt, same


def test_a_model_does_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    of = config()
    swept, again = run(of, tmp_path / "a"), run(config(threads=2), tmp_path / "b")
    assert same(swept, again)
    alone = run(config(axes={}, learning_rate=0.003), tmp_path / "alone")
    for name, weight in alone.items():
        assert torch.equal(weight, swept[f"learning_rate=0.003.{name}"])
    assert not same(swept, run(config(seed=1), tmp_path / "c"))


def test_the_trajectory_has_the_powers_of_two_and_evaluations_between(tmp_path: Path) -> None:
    _, history = train_sweep(config(), tmp_path)
    names = sorted(int(path.stem) for path in (tmp_path / layout.TRAJECTORY).iterdir())
    assert names == [0, 1, 2, 4, 8, 16, 32, 64, 128]
    steps = [evaluation.step for evaluation in history]
    assert steps == sorted({0, *(round(2 ** (i / 4)) for i in range(29))})
    assert all(len(e.loss) == 3 for e in history)
    assert history[-1].mean_loss < 0.9 * history[0].mean_loss


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path: Path, threads: int) -> None:
    of = config(threads=threads, log2_training_steps=8, decay=0.5, initial_bias=-1.0)
    whole = run(of, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"interrupted after step \d+; saved"):
        run(of, tmp_path / "parts", observers=[StopAt(16, signal.SIGINT)])
    assert 0 < load(tmp_path / "parts")[1].step < of.settings.steps
    assert same(whole, run(of, tmp_path / "parts", resume=True))
    first, second = (
        [{**line, "seconds": 0} for line in atomic.read_lines(tmp_path / part / layout.METRICS)]
        for part in ("whole", "parts")
    )
    assert first == second


def test_a_model_that_diverges_leaves_the_others_alone(tmp_path: Path) -> None:
    # of the largest decay the bias grows, with changing sign, until it is no finite number
    axes = {"decay": (0.0, 1000.0, 0.1)}
    models, history = train_sweep(config(axes, learning_rate=0.1), tmp_path)
    assert [loss is None for loss in history[-1].loss] == [False, True, False]
    assert history[-1].monosemantic_neurons[1] is None
    assert history[0].loss[1] is not None
    without = run(config({"decay": (0.0, 0.1)}, learning_rate=0.1), tmp_path / "b")
    for name, weight in models["decay=0.1"].named_parameters():
        assert torch.equal(weight, without[f"decay=0.1.{name}"])


def test_a_run_of_which_all_diverge_fails(tmp_path: Path) -> None:
    of = config({"decay": (900.0, 800.0)}, learning_rate=1.0)
    with pytest.raises(RunError, match="no finite number at step .* --learning-rate"):
        train_sweep(of, tmp_path)


def test_a_run_is_resumed_with_its_own_settings_alone(tmp_path: Path) -> None:
    run(config(), tmp_path)
    with pytest.raises(UsageError, match="learning_rate"):
        train_sweep(config({"learning_rate": (0.001, 0.003)}), tmp_path, resume=True)
    with pytest.raises(UsageError, match="decay"):
        train_sweep(config(decay=1.0), tmp_path, resume=True)
    (tmp_path / layout.RESUME).write_bytes((tmp_path / layout.CHECKPOINT).read_bytes())
    with pytest.raises(InputError):
        train_sweep(config(), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"learning_rat": (0.1,)}, "found .learning_rat.: did you mean .learning_rate."),
        ({"log2_training_steps": (3, 4)}, "expected one of"),
        ({"learning_rate": ()}, "expected different values"),
        ({"k": (4, 4)}, "expected different values"),
        ({"k": (4, 0)}, "k: expected"),
        ({"k": tuple(range(1, 40)), "m": tuple(range(1, 40))}, "at most 1,000 models, found 1,521"),
    ],
    ids=str,
)
def test_a_sweep_that_cannot_be_is_refused(axes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        config(axes)


def test_models_that_do_not_fit_into_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "free_memory", lambda self: 10_000)
    with pytest.raises(RunError, match=r"sweep fewer values, .*--scale small"):
        train_sweep(config(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_swept_is_what_models_can_differ_by() -> None:
    assert {"learning_rate", "k", "N", "task", "half_period"} <= set(SWEEPABLE)
    assert not {"log2_training_steps", "mono_threshold"} & set(SWEEPABLE)


def test_an_evaluation_sums_up_models_that_have_not_diverged() -> None:
    evaluation = MonosemanticityEvaluation(
        epoch=1,
        step=1,
        loss=[1.0, None, 3.0],
        monosemantic_neurons=[4, None, 2],
        mean_bias=[0.0, None, 0.0],
        seconds=1.0,
    )
    assert evaluation.mean_loss == 2
    assert evaluation.most_monosemantic == 4
