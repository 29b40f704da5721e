"""One training run in its folder: the loop, and what it saves along the way."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from mitool import checkpoint, rundir
from mitool.checkpoint import Metadata, TaskRecord
from mitool.config import as_dict, build
from mitool.device import generator
from mitool.errors import InputError, Interrupted, RunError
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.training.cadence import checkpoint_epochs
from mitool.training.config import RunConfig, require_same
from mitool.training.data import TrainingData
from mitool.training.interrupt import PendingSignal, deferred_signals
from mitool.training.memory import require_memory
from mitool.training.metrics import Evaluation, grokked_at, score, weight_norms
from mitool.training.optimizers import make_optimizer
from mitool.training.state import load_state, save_state
from mitool.training.step import CapturedStep, TrainStep
from mitool.version import __version__

SECONDS_BETWEEN_SAVES = 60.0


@runtime_checkable
class Observer(Protocol):
    """Follows a run while it goes on; its methods are called between steps."""

    def epoch_done(self, epoch: int) -> None: ...

    def evaluated(self, evaluation: Evaluation) -> None: ...


class Run:
    """A run in a folder that it has claimed (``rundir.claimed``).

    Attributes:
        epoch: epochs done.
        batch: batches done of the next epoch.
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
        self.batch = 0
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
        self._loss = torch.zeros(())

    @property
    def step(self) -> int:
        """Optimiser steps taken."""
        return self.epoch * self.data.steps_per_epoch + self.batch

    def resume(self) -> None:
        """Go back to the last saved state of the folder, if it holds one.

        Raises:
            UsageError: the run was started with other settings.
            InputError: its files are damaged.
        """
        if not rundir.holds_run(self.folder):
            return
        require_same(rundir.read_json(self.folder / rundir.CONFIG), self.config.as_dict())
        if not (self.folder / rundir.RESUME).exists():
            return
        progress = load_state(self.folder / rundir.RESUME, self.model, self.optimizer)
        try:
            self.epoch, self.batch = int(progress["epoch"]), int(progress["batch"])
            self.seconds = float(progress["seconds"])
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
                if self.batch == 0:
                    self._evaluate_if_due()
                self._raise_if(pending)
                finished = self.batch == 0 and self._is_finished()
                due = self.batch == 0 and self.epoch in saved_epochs
                on_trajectory = due or (finished and bool(saved_epochs))
                if finished or on_trajectory or self.step == 0 or self._save_is_overdue():
                    self._save(on_trajectory=on_trajectory)
                if finished:
                    return
                self._train_epoch(step, pending)

    def _raise_if(self, pending: PendingSignal) -> None:
        if pending.signum is None:
            return
        self._save()
        raise Interrupted(
            f"interrupted after epoch {self.epoch} (step {self.step}); saved in {self.folder}: "
            "the same command with --resume goes on",
            pending.signum,
        )

    def _make_step(self) -> TrainStep:
        training = self.config.training
        n_steps = training.epochs * self.data.steps_per_epoch
        if self._captures:
            assert self.data.full_batch is not None
            batch = self.data.full_batch
            return CapturedStep(self.model, self.optimizer, training, n_steps, batch, self.step)
        return TrainStep(self.model, self.optimizer, training, n_steps, self.step)

    def _train_epoch(self, step: TrainStep, pending: PendingSignal) -> None:
        """Train to the end of the epoch, or until there is reason to save in the midst of it."""
        start = time.perf_counter()
        for batch in itertools.islice(self.data.batches(self.epoch), self.batch, None):
            self._loss = step(batch)
            self.batch += 1
            if pending.signum is not None or self._save_is_overdue():
                break
        if self.batch == self.data.steps_per_epoch:
            self.epoch, self.batch = self.epoch + 1, 0
        if self._is_evaluation_due():
            self.config.device.synchronise()
        self.seconds += time.perf_counter() - start
        for observer in self.observers:
            observer.epoch_done(self.epoch)

    def _is_evaluation_due(self) -> bool:
        training = self.config.training
        return self.epoch % training.eval_every == 0 or self.epoch >= training.epochs

    def _evaluate_if_due(self) -> None:
        due = self._is_evaluation_due()
        if not due or (self.history and self.history[-1].epoch == self.epoch):
            return
        evaluation = self._evaluate()
        self.history.append(evaluation)
        rundir.append_line(self.folder / rundir.METRICS, asdict(evaluation))
        for observer in self.observers:
            observer.evaluated(evaluation)

    def _evaluate(self) -> Evaluation:
        train = score(self.model, self.config.task, self.data.train_evaluation(self.epoch))
        test = score(self.model, self.config.task, self.data.test)
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
        finite = all(parameter.isfinite().all() for parameter in self.model.parameters())
        if not (finite and self._loss.isfinite()):
            self._fail_diverged()
        tensors, metadata = self.model.state_dict(), self._metadata()
        if on_trajectory:
            name = f"{self.step:08d}.safetensors"
            checkpoint.save(self.folder / rundir.TRAJECTORY / name, tensors, metadata)
        checkpoint.save(self.folder / rundir.CHECKPOINT, tensors, metadata)
        progress = {"epoch": self.epoch, "batch": self.batch, "seconds": self.seconds}
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
            split=None if split is None else asdict(split),
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
