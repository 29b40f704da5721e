"""One training run in its folder: the loop, and what it saves along the way."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mitool import checkpoint, rundir
from mitool.checkpoint import Metadata, TaskRecord
from mitool.config import as_dict, build
from mitool.device import Device, generator
from mitool.errors import InputError, Interrupted, RunError, UsageError
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import ModelSettings, TrainingSettings
from mitool.tasks import Task
from mitool.training.cadence import checkpoint_epochs
from mitool.training.data import TrainingData
from mitool.training.interrupt import deferred_signals
from mitool.training.memory import require_memory
from mitool.training.metrics import Evaluation, grokked_at, score, weight_norms
from mitool.training.optimizers import make_optimizer
from mitool.training.state import load_state, save_state
from mitool.training.step import CapturedStep, TrainStep
from mitool.version import __version__

SECONDS_BETWEEN_SAVES = 60.0
FREE_TO_CHANGE = frozenset(
    {"epochs", "checkpoint_every", "checkpoint_spacing", "stop_test_loss", "stop_on_grok"}
)
"""Training settings that a resumed run may change: they leave the weights of an epoch alone."""


@runtime_checkable
class Observer(Protocol):
    """Follows a run while it goes on; its methods are called between steps."""

    def epoch_done(self, epoch: int) -> None: ...

    def evaluated(self, evaluation: Evaluation) -> None: ...


@dataclass(frozen=True)
class RunConfig:
    """All that decides the weights of a run."""

    task: Task
    model: ModelSettings
    training: TrainingSettings
    device: Device
    seed: int = 0
    split_seed: int | None = None

    @property
    def data_seed(self) -> int:
        """The seed of the division into training and test: the run's own by default."""
        return self.seed if self.split_seed is None else self.split_seed

    def as_dict(self) -> dict[str, Any]:
        """The configuration as JSON values, as ``config.json`` holds it."""
        return {
            "task": {"name": self.task.name, "parameters": as_dict(self.task)},
            "model": as_dict(self.model),
            "training": as_dict(self.training),
            "device": self.device.describe(),
            "seed": self.seed,
            "split_seed": self.data_seed,
        }


class Run:
    """A run in a folder that it has claimed (``rundir.claimed``).

    Attributes:
        epoch: epochs done.
        history: the evaluations so far.
        seconds: seconds of training so far, over all sessions, evaluations left out.
    """

    def __init__(self, config: RunConfig, folder: Path, observers: Sequence[Observer] = ()) -> None:
        """Make the data, the model and the optimiser.

        Raises:
            UsageError: the settings do not fit together.
            RunError: there is not enough memory.
        """
        self.config = config
        self.folder = folder
        self.observers = observers
        self.epoch = 0
        self.history: list[Evaluation] = []
        self.seconds = 0.0
        cfg = TransformerConfig.for_task(config.model, config.task)
        require_memory(config.task, cfg, config.training, config.device)
        self.data = TrainingData(
            config.task, config.training, config.seed, config.data_seed, config.device
        )
        self.model = ToyTransformer(cfg).initialise(generator(config.seed, "init"))
        self.model.to(config.device.torch_device, config.device.torch_dtype)
        self._captures = (
            config.device.is_cuda
            and self.data.full_batch is not None
            and config.training.optimizer != "sgd"
        )
        self.optimizer = make_optimizer(
            self.model.parameters(), config.training, capturable=self._captures
        )
        self._saved_at = time.monotonic()

    @property
    def step(self) -> int:
        """Optimiser steps taken."""
        return self.epoch * self.data.steps_per_epoch

    def resume(self) -> None:
        """Go back to the last saved state of the folder, if it holds one.

        Raises:
            UsageError: the run was started with other settings.
            InputError: its files are damaged.
        """
        if not (self.folder / rundir.CONFIG).exists():
            return
        _require_same(rundir.read_json(self.folder / rundir.CONFIG), self.config.as_dict())
        if not (self.folder / rundir.RESUME).exists():
            return
        progress = load_state(self.folder / rundir.RESUME, self.model, self.optimizer)
        try:
            self.epoch, self.seconds = int(progress["epoch"]), float(progress["seconds"])
        except (KeyError, TypeError, ValueError):
            raise InputError(f"{self.folder / rundir.RESUME}: damaged: no progress") from None
        lines = rundir.read_lines(self.folder / rundir.METRICS)
        history = [build(Evaluation, line, InputError) for line in lines]
        self.history = [evaluation for evaluation in history if evaluation.epoch <= self.epoch]

    def execute(self) -> None:
        """Train to the end, saving along the way.

        Raises:
            Interrupted: SIGINT or SIGTERM arrived; the state is saved.
            RunError: the loss diverged (the last good checkpoint is kept), or the disk is full.
        """
        rundir.write_json(self.folder / rundir.CONFIG, self.config.as_dict())
        rundir.write_lines(self.folder / rundir.METRICS, [asdict(e) for e in self.history])
        saved_epochs = checkpoint_epochs(self.config.training)
        step = self._make_step()
        with deferred_signals() as pending:
            while True:
                self._evaluate_if_due()
                if pending.signum is not None:
                    self._save()
                    raise Interrupted(
                        f"interrupted after epoch {self.epoch}; saved in {self.folder}: "
                        "the same command with --resume goes on",
                        pending.signum,
                    )
                finished = self._is_finished()
                on_trajectory = self.epoch in saved_epochs or (finished and bool(saved_epochs))
                if finished or on_trajectory or self._save_is_overdue():
                    self._save(on_trajectory=on_trajectory)
                if finished:
                    return
                self._train_epoch(step)

    def _make_step(self) -> TrainStep:
        training = self.config.training
        if self._captures:
            assert self.data.full_batch is not None
            batch = self.data.full_batch
            return CapturedStep(self.model, self.optimizer, training, batch, self.step)
        return TrainStep(self.model, self.optimizer, training, self.step)

    def _train_epoch(self, step: TrainStep) -> None:
        start = time.perf_counter()
        for batch in self.data.batches(self.epoch):
            step(batch)
        self.epoch += 1
        self.seconds += time.perf_counter() - start
        for observer in self.observers:
            observer.epoch_done(self.epoch)

    def _evaluate_if_due(self) -> None:
        training = self.config.training
        due = self.epoch % training.eval_every == 0 or self.epoch == training.epochs
        if not due or (self.history and self.history[-1].epoch == self.epoch):
            return
        evaluation = self._evaluate()
        self.history.append(evaluation)
        rundir.append_line(self.folder / rundir.METRICS, asdict(evaluation))
        for observer in self.observers:
            observer.evaluated(evaluation)

    def _evaluate(self) -> Evaluation:
        train = score(self.model, self.data.train_evaluation(self.epoch))
        test = score(self.model, self.data.test)
        if not (math.isfinite(train.loss) and math.isfinite(test.loss)):
            self._fail_diverged()
        return Evaluation(
            epoch=self.epoch,
            step=self.step,
            train_loss=train.loss,
            test_loss=test.loss,
            train_accuracy=train.accuracy,
            test_accuracy=test.accuracy,
            train_sequence_accuracy=train.sequence_accuracy,
            test_sequence_accuracy=test.sequence_accuracy,
            train_position_losses=train.position_losses,
            test_position_losses=test.position_losses,
            train_position_accuracies=train.position_accuracies,
            test_position_accuracies=test.position_accuracies,
            weight_norms=weight_norms(self.model),
            seconds=self.seconds,
        )

    def _is_finished(self) -> bool:
        training = self.config.training
        if self.epoch >= training.epochs:
            return True
        if not self.history or self.history[-1].epoch != self.epoch:
            return False
        latest = self.history[-1]
        if training.stop_test_loss is not None and latest.test_loss <= training.stop_test_loss:
            return True
        return training.stop_on_grok and latest.is_grokked and grokked_at(self.history) is not None

    def _save_is_overdue(self) -> bool:
        return time.monotonic() - self._saved_at > SECONDS_BETWEEN_SAVES

    def _save(self, *, on_trajectory: bool = False) -> None:
        """Save the weights, as a checkpoint of the trajectory too, and then the state to resume
        from: a crash in between leaves an older state, and the same weights come again.
        """
        if not all(parameter.isfinite().all() for parameter in self.model.parameters()):
            self._fail_diverged()
        tensors, metadata = self.model.state_dict(), self._metadata()
        if on_trajectory:
            name = f"{self.step:08d}.safetensors"
            checkpoint.save(self.folder / rundir.TRAJECTORY / name, tensors, metadata)
        checkpoint.save(self.folder / rundir.CHECKPOINT, tensors, metadata)
        progress = {"epoch": self.epoch, "seconds": self.seconds}
        save_state(self.folder / rundir.RESUME, self.model, self.optimizer, progress)
        self._saved_at = time.monotonic()

    def _metadata(self) -> Metadata:
        config = self.config.as_dict()
        split = self.data.split
        return Metadata(
            kind="transformer",
            model=as_dict(self.model.cfg),
            task=TaskRecord(**config["task"]),
            training=config["training"] | config["device"],
            split=None if split is None else {"method": "torch", **asdict(split)},
            seed=self.config.seed,
            step=self.step,
            epoch=self.epoch,
            version=__version__,
        )

    def _fail_diverged(self) -> None:
        last = self.history[-1].epoch if self.history else 0
        raise RunError(
            f"the loss is no finite number at epoch {self.epoch} (it was at {last}): training "
            f"diverged; try a lower --lr, or --warmup. {self.folder / rundir.CHECKPOINT} holds "
            "the last good weights"
        )


def _require_same(saved: dict[str, Any], asked: dict[str, Any]) -> None:
    differences = []
    for name in sorted(saved.keys() | asked.keys()):
        was, now = saved.get(name), asked.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            differences += [
                f"{key} was {was.get(key)}, asked {now.get(key)}"
                for key in sorted(was.keys() | now.keys())
                if was.get(key) != now.get(key) and key not in FREE_TO_CHANGE
            ]
        elif was != now:
            differences.append(f"{name} was {was}, asked {now}")
    if differences:
        raise UsageError(
            f"--resume: the run was started with other settings ({'; '.join(differences)}); "
            "resume with those, or choose another --out"
        )
