"""Runs of superposition models: the same bits, stopped and gone on with, refused and cut short."""

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mitool.core.errors import InputError, Interrupted, MitoolError, RunError, UsageError
from mitool.storage import atomic, layout
from mitool.storage.checkpoint import load
from mitool.training.superposition import best_of_restarts, held_out_losses, train_families
from mitool.training.superposition.sampling import fill
from tests.training.runs import DAMAGED, StopAt, damage, same
from tests.training.superposition.families import config, models, run


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    first, again = run(config(), tmp_path / "a"), run(config(), tmp_path / "b")
    other = run(config(seed=1), tmp_path / "c")
    assert same(first, again)
    assert not same(first, other)


def test_threads_share_the_models_out_and_change_nothing_to_speak_of(tmp_path: Path) -> None:
    settings = {"batch_size": 4096, "n_instances": 6, "steps": 12}
    one = run(config(threads=1, **settings), tmp_path / "one")
    two = run(config(threads=2, **settings), tmp_path / "two")
    for name, weight in one.items():
        torch.testing.assert_close(weight, two[name], rtol=1e-4, atol=1e-5)
    assert same(two, run(config(threads=2, **settings), tmp_path / "again"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    tmp_path: Path, signum: signal.Signals, threads: int
) -> None:
    of = config(threads=threads, steps=300, batch_size=4096, eval_every=100)
    whole = run(of, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"interrupted after step \d+; saved") as interrupt:
        run(of, tmp_path / "parts", observers=[StopAt(17, signum)])
    assert interrupt.value.exit_code == 128 + signum
    assert 0 < load(tmp_path / "parts")[1].step < 300
    assert same(whole, run(of, tmp_path / "parts", resume=True))
    lines = [atomic.read_lines(tmp_path / part / layout.METRICS) for part in ("whole", "parts")]
    first, second = ([line["losses"] for line in part] for part in lines)
    assert first == second
    assert len(first) == 4


def test_a_finished_run_can_be_made_longer_and_keeps_a_trajectory(tmp_path: Path) -> None:
    whole = run(config(steps=40, checkpoint_every=15), tmp_path / "whole")
    run(config(steps=20, checkpoint_every=15), tmp_path / "parts")
    assert same(whole, run(config(steps=40, checkpoint_every=15), tmp_path / "parts", resume=True))
    kept = sorted(path.stem for path in (tmp_path / "whole" / layout.TRAJECTORY).iterdir())
    assert [int(step) for step in kept] == [0, 15, 30, 40]


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    run(config(), tmp_path)
    with pytest.raises(UsageError, match=r"lr was 0\.001, asked 0\.5"):
        run(config(lr=0.5), tmp_path, resume=True)
    with pytest.raises(UsageError, match="importance was None, asked 1"):
        run(config(importance="1"), tmp_path, resume=True)


@pytest.mark.parametrize(("name", "error", "message"), DAMAGED)
def test_a_damaged_file_is_refused(
    tmp_path: Path, name: str, error: type[MitoolError], message: str
) -> None:
    run(config(), tmp_path)
    damage(tmp_path / name)
    with pytest.raises(error, match=message):
        run(config(), tmp_path, resume=True)


def test_a_run_of_other_models_is_not_gone_on_with(tmp_path: Path) -> None:
    of = config()
    run(of, tmp_path)
    with pytest.raises(InputError, match="of other models"):
        train_families(of, {"a": models(of)[:2]}, tmp_path, resume=True)


def test_a_run_that_diverges_fails_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"diverged; try a lower --lr"):
        run(config(lr=1000.0, weight_decay=1000.0, steps=2000), tmp_path)
    assert all(weight.isfinite().all() for weight in load(tmp_path)[0].values())


def test_of_restarts_the_best_counts(tmp_path: Path) -> None:
    assert best_of_restarts(torch.tensor([3.0, 1.0, 2.0, 5.0, 9.0, 4.0]), 3) == [1, 5]
    of = replace(config(), seed=3)
    several = models(of, restarts=2)
    (*_, last) = train_families(of, {"": several}, tmp_path)
    losses = held_out_losses(several, "", 3, lambda density: 4096)
    assert last.losses[""] == losses.reshape(4, 2).amin(dim=1).tolist()
    assert not torch.equal(several.W[0], several.W[1])


def test_losses_are_the_means_over_all_examples_and_restarts_have_the_same() -> None:
    of = config(sparsity="0.9")
    given = models(of, restarts=2)
    x = np.empty((1, 6, 1000), dtype=np.float32)
    found = held_out_losses(given, "name", 5, lambda density: 1000)
    for first in range(0, len(given), 2):
        fill(x, given.cfg, 0.1, 5, "name", "test", first)
        assert (x == 0).all(axis=1).any()
        each = given[first : first + 2].losses(torch.from_numpy(x).expand(2, -1, -1))
        torch.testing.assert_close(found[first : first + 2], each.double(), rtol=1e-5, atol=0)
