"""Runs that are cut off and resumed end in the weights of the uninterrupted run, bit for bit."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from mitool import files, rundir
from mitool.checkpoint import read_tensors
from mitool.errors import InputError, Interrupted, UsageError
from mitool.subject import load
from mitool.training import train
from mitool.training.data import Batch
from mitool.training.step import TrainStep
from tests.training.runs import RUNS, StopAt, config, same, weights


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
            for line in files.read_lines(tmp_path / name / "metrics.jsonl")
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


@pytest.mark.parametrize("name", ["resume.safetensors", "config.json", "metrics.jsonl"])
def test_resuming_from_a_damaged_file_is_an_unusable_input(tmp_path: Path, name: str) -> None:
    train(config(), tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 255
    content[5] = 0
    (tmp_path / name).write_bytes(content)
    with pytest.raises((InputError, UsageError)):
        train(config(), tmp_path, resume=True)


TRAINER = """
import os, pathlib, sys
sys.path.insert(0, {root!r})
from tests.training.runs import config
from mitool.training import train
train(config(epochs=1), pathlib.Path(sys.argv[1]))  # loads what only a training loads
for line in sys.stdin:
    child = os.fork()
    if not child:
        train(config(epochs=1600, checkpoint_every=10), pathlib.Path(line.strip()), resume=True)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Trains in a process of its own in each folder that it is told, and says its id and its end.

The processes are forks, as loading torch anew takes longer than what is trained before a kill;
one thread on the CPU starts no other that a fork would lack.
"""


def test_twenty_sigkills_and_resumes_end_in_the_same_bits(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(TRAINER.format(root=str(Path(__file__).parents[2])))
    run = config(epochs=1600, checkpoint_every=10)
    command = [sys.executable, str(script), str(tmp_path / "first")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as trainer:
        _begin(trainer, tmp_path / "whole")
        assert _said(trainer) == 0
        whole_seconds = files.read_lines(tmp_path / "whole" / rundir.METRICS)[-1]["seconds"]
        draw, killed, epochs = random.Random(0), 0, []
        while killed < 20:
            child = _begin(trainer, tmp_path / "parts")
            _wait_until_training(child, tmp_path / "parts")
            # so short that 20 kills do not finish the run, so long that some get past a checkpoint
            time.sleep(draw.random() * whole_seconds / 40)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            if _said(trainer) != -signal.SIGKILL:
                break
            killed += 1
            if (tmp_path / "parts" / rundir.RESUME).exists():
                epochs.append(read_tensors(tmp_path / "parts" / rundir.RESUME)[1]["epoch"])
    assert killed == 20
    assert epochs == sorted(epochs)
    assert len(set(epochs)) > 3
    train(run, tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    trajectory = rundir.TRAJECTORY
    for path in (tmp_path / "whole" / trajectory).iterdir():
        assert path.read_bytes() == (tmp_path / "parts" / trajectory / path.name).read_bytes()


def _begin(trainer: subprocess.Popen[str], folder: Path) -> int:
    """The id of the process that trains in the folder."""
    assert trainer.stdin
    trainer.stdin.write(f"{folder}\n")
    trainer.stdin.flush()
    return _said(trainer)


def _said(trainer: subprocess.Popen[str]) -> int:
    assert trainer.stdout
    return int(trainer.stdout.readline())


def _wait_until_training(child: int, folder: Path) -> None:
    """Wait until the child has the folder's files in hand: it has written the metrics anew."""
    metrics, begun = folder / rundir.METRICS, time.time()
    while psutil.pid_exists(child) and time.time() - begun < 120:
        if metrics.exists() and metrics.stat().st_ino != _SEEN.get(folder):
            _SEEN[folder] = metrics.stat().st_ino
            return
        time.sleep(0.005)


_SEEN: dict[Path, int] = {}
