"""The threads of a run beside other work, and what is told of steps that become slow."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.core.device import Device
from mitool.core.machine import CoreTimes
from mitool.settings import ModelSettings, TrainingSettings
from mitool.storage import checkpoint
from mitool.tasks.modadd import ModAdd
from mitool.training import RunConfig, train
from mitool.training import pace as paces
from mitool.training.learner import Diverged
from mitool.training.pace import FAR, LOOK, PATIENCE, SOME, Pace
from mitool.training.run import Run
from mitool.training.transformers import TransformerLearner

CORES = 4


class Machine:
    """Four cores, of which others take ``taken``; each look at it is a second after the last."""

    def __init__(self, taken: float = 0.0) -> None:
        self.taken = taken
        self.time = CoreTimes(CORES, 1000.0, 0.0, 0.0)

    def now(self) -> CoreTimes:
        last = self.time
        self.time = CoreTimes(CORES, last.at + 1, last.used + self.taken + 1, last.own + 1)
        return self.time


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    threads, machine = torch.get_num_threads(), Machine()
    monkeypatch.setattr(paces, "LOADED", machine.time)
    monkeypatch.setattr(CoreTimes, "now", machine.now)
    yield machine
    torch.set_num_threads(threads)


def looks(pace: Pace, n: int, rate: float = 100.0) -> list[str]:
    """So many looks at a run of so many steps a second, and what was told."""
    told = [pace.ran(round(rate * LOOK), LOOK) for _ in range(n)]
    return [text for text in told if text is not None]


def test_alone_a_run_takes_all_that_it_may(machine: Machine) -> None:
    machine.taken = 0.3
    pace = Pace(CORES, lambda threads: True)
    assert pace.begin() is None
    assert looks(pace, 20) == []
    assert pace.threads == CORES


@pytest.mark.parametrize(("taken", "threads"), [(0.5, 3), (1.0, 3), (2.0, 2), (3.5, 1), (9.0, 1)])
def test_others_are_left_their_cores_from_the_beginning(
    machine: Machine, taken: float, threads: int
) -> None:
    machine.taken = taken
    pace = Pace(CORES, lambda threads: True)
    assert pace.begin() == (
        f"other processes use {taken:.1f} of 4 cores: continuing with {threads} of 4 threads, "
        "which give the same bits"
    )
    assert (pace.threads, torch.get_num_threads()) == (threads, threads)


def test_what_was_seen_long_ago_says_nothing(machine: Machine) -> None:
    machine.taken = 4.0
    machine.time = CoreTimes(CORES, machine.time.at + 100, 400.0, 0.0)
    pace = Pace(CORES, lambda threads: True)
    assert pace.begin() is None
    assert pace.threads == CORES


def test_a_core_is_taken_again_once_it_has_been_free_for_a_while(machine: Machine) -> None:
    pace = Pace(CORES, lambda threads: True)
    machine.taken = 2.0
    assert len(looks(pace, 1)) == 1
    assert pace.threads == 2
    machine.taken = 0.0
    looks(pace, PATIENCE)
    machine.taken = 2.0
    looks(pace, 1)
    machine.taken = 0.0
    looks(pace, PATIENCE)
    assert pace.threads == 2
    assert looks(pace, 1)[0].endswith("continuing with 4 of 4 threads, which give the same bits")
    assert (pace.threads, torch.get_num_threads()) == (4, 4)


def test_other_bits_are_not_taken_for_speed(machine: Machine) -> None:
    asked: list[int] = []

    def has_same_bits(threads: int) -> bool:
        asked.append(threads)
        return False

    machine.taken = 2.0
    pace = Pace(CORES, has_same_bits)
    told = pace.begin()
    assert told == (
        "other processes use 2.0 of 4 cores, so that threads wait for each other: --threads 2 may "
        "be faster, but the weights would differ in their last bits"
    )
    assert looks(pace, 10) == []
    assert pace.threads == CORES
    assert asked == [2]
    assert pace.warnings == [told]


def test_where_no_number_was_asked_for_other_bits_are_taken_once(machine: Machine) -> None:
    machine.taken = 2.0
    pace = Pace(CORES, lambda threads: False, keeps_bits=False)
    told = pace.begin()
    assert told == (
        "other processes use 2.0 of 4 cores: continuing with 2 of 4 threads; the weights differ in "
        "their last bits from those of a run alone"
    )
    assert pace.has_other_bits
    machine.taken = 0.0
    assert looks(pace, 2 * PATIENCE) == []
    machine.taken = 3.0
    assert looks(pace, 2) == []
    assert (pace.threads, pace.warnings) == (2, [told])


def test_a_run_of_one_thread_looks_for_no_other(machine: Machine) -> None:
    machine.taken = 3.0
    pace = Pace(1, lambda threads: pytest.fail("there is no other number"))
    assert pace.begin() is None
    assert looks(pace, 5) == []


def test_threads_that_do_not_wait_for_each_other_stay(machine: Machine) -> None:
    machine.taken = 3.0
    pace = Pace(CORES, None)
    assert pace.begin() is None
    assert looks(pace, 5) == []
    assert pace.threads == CORES


@pytest.mark.parametrize("taken", [0.0, 0.9])
def test_steps_that_become_far_slower_are_told_of_once(machine: Machine, taken: float) -> None:
    pace = Pace(1, lambda threads: True)
    looks(pace, 5, rate=200)
    machine.taken = taken
    assert looks(pace, SOME - 2, rate=10) == []
    assert looks(pace, 5, rate=200) == []
    (told,) = looks(pace, 10, rate=200 / FAR / 2)
    assert told.startswith("training has slowed down from 200 to 24 steps a second: ")
    assert told.endswith(
        "other processes use 0.9 of 4 cores; run fewer at once, or give each --threads 1"
        if taken
        else "no other process explains it; the machine may be throttled or short of memory"
    )
    looks(pace, 5, rate=200)
    assert looks(pace, 10, rate=1) == []
    assert pace.warnings == [told]


def test_steps_that_are_not_far_slower_are_not(machine: Machine) -> None:
    pace = Pace(1, lambda threads: True)
    assert looks(pace, 5, rate=200) == []
    assert looks(pace, 20, rate=200 / FAR + 10) == []


def config(**training: Any) -> RunConfig:
    settings = TrainingSettings(**{"epochs": 12, "lr": 1e-3, "eval_every": 3, **training})
    model = ModelSettings(n_layers=1, n_heads=2, d_model=32)
    return RunConfig(ModAdd(p=13), model, settings, Device("cpu", threads=2))


def test_a_run_that_changes_its_threads_comes_to_the_same(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train(config(batch_size=48), tmp_path / "alone")
    monkeypatch.setattr(paces, "LOOK", 0.0)
    monkeypatch.setattr(paces, "PATIENCE", 0)
    told: list[str] = []

    class Follower:
        def epoch_done(self, epoch: int) -> None:
            machine.taken = 4.0 * (epoch % 2)

        def evaluated(self, evaluation: Any) -> None:
            pass

        def noted(self, text: str) -> None:
            told.append(text)

    beside = train(config(batch_size=48), tmp_path / "beside", observers=[Follower()])
    assert [text.partition("continuing with ")[2][0] for text in told] == ["1", "2", "1"]
    left = [checkpoint.load(tmp_path / name)[0] for name in ("alone", "beside")]
    assert all(torch.equal(left[0][name], left[1][name]) for name in left[0])
    assert not any("threads" in text for text in beside.warnings)


@pytest.mark.parametrize(
    ("p", "d_model", "batch_size", "threads"),
    [(7, 16, None, 1), (7, 32, None, 1), (29, 32, None, 2), (29, 32, 8, 1), (113, 128, None, 2)],
)
def test_small_steps_take_one_thread(
    p: int, d_model: int, batch_size: int | None, threads: int
) -> None:
    model, training = ModelSettings(d_model=d_model), TrainingSettings(batch_size=batch_size)
    asked = RunConfig(ModAdd(p=p), model, training, Device("cpu", threads=2))
    assert asked.sized().device.threads == threads
    weights = dict(TransformerLearner(asked).model.named_parameters())
    products = sum(w.numel() for name, w in weights.items() if "W_" in name and "blocks" in name)
    products += weights["unembed.W_U"].numel()
    n_examples = batch_size or int(p * p * 0.3)
    assert asked.work == 6 * products * n_examples * 3


def test_a_run_whose_bits_change_records_from_where(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paces, "LOOK", 0.0)
    monkeypatch.setattr(Run, "_has_same_bits", lambda run, threads: False)

    class Follower:
        def epoch_done(self, epoch: int) -> None:
            machine.taken = 4.0 * (epoch >= 5)

        def evaluated(self, evaluation: Any) -> None:
            pass

    asked = config()
    free = replace(asked, device=replace(asked.device, has_asked_threads=False))
    result = train(free, tmp_path, observers=[Follower()])
    sessions = json.loads((tmp_path / "config.json").read_text())["sessions"]
    assert [(each["step"], each["threads"]) for each in sessions] == [(0, 2), (6, 1)]
    moved = "from step 6 on the run was computed elsewhere (threads was 2, is 1): its bits may "
    assert any(text.startswith(moved) for text in result.warnings)
    assert any("differ in their last bits from those of a run alone" in w for w in result.warnings)


class CountsThreads(TransformerLearner):
    """Whose gradients are others with another number of threads."""

    def gradients(self, *where: Any) -> dict[str, torch.Tensor]:
        return {"n": torch.tensor(torch.get_num_threads())}


class Diverges(TransformerLearner):
    def evaluate(self, epoch: int, step: int, seconds: float) -> Any:
        raise Diverged


@pytest.mark.parametrize(
    ("learner", "same"), [(TransformerLearner, True), (CountsThreads, False), (Diverges, False)]
)
def test_bits_are_compared(learner: type[TransformerLearner], same: bool, tmp_path: Path) -> None:
    run = Run(learner(config(batch_size=48)), tmp_path)
    assert run._has_same_bits(1) == same


def test_a_system_that_says_nothing_of_its_cores_is_taken_for_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hidden(percpu: bool) -> None:
        raise PermissionError(13, "Permission denied", "/proc/stat")

    monkeypatch.setattr("psutil.cpu_times", hidden)
    before = CoreTimes.now()
    time.sleep(0.01)
    now = CoreTimes.now()
    assert now.cores >= 1
    assert now.taken_since(before) == 0


def test_another_process_is_seen_and_this_one_is_not() -> None:
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        before = CoreTimes.now()
        time.sleep(0.5)
        beside = CoreTimes.now().taken_since(before)
    finally:
        loop.kill()
        loop.wait()
    assert beside > 0.5
    before = CoreTimes.now()
    while time.monotonic() < before.at + 0.5:
        pass
    now = CoreTimes.now()
    assert now.own - before.own > 0.2
    assert now.taken_since(before) < beside
