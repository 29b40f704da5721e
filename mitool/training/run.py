"""One training run in its folder: the loop, and what it saves along the way."""

import bisect
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Generic, NoReturn, TypeVar

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from mitool.core.agreement import require_agreement
from mitool.core.config import FROZEN, as_dict, build
from mitool.core.errors import InputError, Interrupted, RunError, about
from mitool.core.signals import PendingSignal, deferred_signals
from mitool.storage import atomic, checkpoint, layout, locking
from mitool.training.learner import Diverged, E, Learner, Listener, Observer
from mitool.training.pace import Pace
from mitool.training.sessions import SESSIONS, Session, begun, of_record

T = TypeVar("T")

SECONDS_BETWEEN_SAVES = 60.0


@dataclass(frozen=True, config=FROZEN)
class Progress:
    """How far a saved state is: see ``Run``."""

    epoch: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]


class Run(Generic[E]):
    """A run in a folder.

    Attributes:
        epoch: epochs done.
        batch: batches done of the next epoch.
        history: the evaluations so far.
        seconds: seconds of training so far, over all sessions, evaluations left out.
        pace: its threads, and whether its steps have become slow.
    """

    def __init__(
        self, learner: Learner[E], folder: Path, observers: Sequence[Observer[E]] = ()
    ) -> None:
        self.learner = learner
        self.folder = folder
        self.observers = observers
        self.epoch = 0
        self.batch = 0
        self.history: list[E] = []
        self.seconds = 0.0
        waits = learner.spins and learner.device.is_host
        self.pace = Pace(
            learner.device.threads,
            self._has_same_bits if waits else None,
            keeps_bits=learner.device.has_asked_threads,
        )
        self._evaluates_otherwise: set[int] = set()
        self._sessions: list[Session] = []
        self._saved_at = time.monotonic()
        self._noted_epochs = sorted(learner.saved_epochs | learner.also_evaluated)

    @property
    def step(self) -> int:
        """Optimiser steps taken."""
        return self.epoch * self.learner.steps_per_epoch + self.batch

    def complete(self, *, resume: bool, overwrite: bool) -> None:
        """Claim the folder and train to the end, saving along the way.

        Args:
            resume: go on with the run that the folder holds, if it holds one.
            overwrite: replace it.

        Raises:
            UsageError: the folder cannot be used, or its run was started with other settings.
            InputError: the files of the run to resume are damaged.
            RunError: the loss diverged (the last good checkpoint is kept), the disk is full, or
                the device computes otherwise than the CPU.
            Interrupted: SIGINT or SIGTERM arrived; the state is saved.
        """
        if not resume:  # before the run is replaced that the folder may hold
            self._require_agreement()
        with locking.claimed(self.folder, overwrite=overwrite, resume=resume):
            if resume:
                self._restore()
                self._require_agreement()
            self._execute()

    def _require_agreement(self) -> None:
        """Check that the next step is the CPU's, where the device is doubted."""
        next_step = functools.partial(self.learner.gradients, self.epoch, self.batch)
        require_agreement(self.learner.device, next_step, "the first step of the training")

    def _restore(self) -> None:
        """Go back to the last saved state of the folder, if it holds one."""
        if not layout.holds_run(self.folder):
            return
        record = atomic.read_json(self.folder / layout.CONFIG)
        self.learner.require_same({k: v for k, v in record.items() if k != SESSIONS})
        self._sessions = of_record(record)
        path = self.folder / layout.RESUME
        if not path.exists():
            return
        state, record = checkpoint.read_tensors(path)
        with about(path):
            progress = build(Progress, record, InputError)
            if progress.batch >= self.learner.steps_per_epoch:
                raise InputError(f"damaged: there is no batch {progress.batch} of an epoch")
            self.learner.restore(state)
            if not self.learner.is_finite():
                raise InputError("damaged: its weights are no finite numbers")
        self.epoch, self.batch, self.seconds = progress.epoch, progress.batch, progress.seconds
        lines = atomic.read_lines(self.folder / layout.METRICS)
        history = [build(self.learner.evaluation, line, InputError) for line in lines]
        self.history = [evaluation for evaluation in history if evaluation.epoch <= self.epoch]

    def _execute(self) -> None:
        if not self._is_finished():
            self._sessions = begun(self._sessions, self.learner.device, self.step)
        self._write_config()
        atomic.write_lines(self.folder / layout.METRICS, [_line(e) for e in self.history])
        self.learner.begin(self.step)
        self._note(self.pace.begin())
        with deferred_signals() as pending:
            while True:
                if self.batch == 0:
                    self._evaluate_if_due()
                self._raise_if(pending)
                finished = self.batch == 0 and self._is_finished()
                due = self.batch == 0 and self.epoch in self.learner.saved_epochs
                on_trajectory = due or (finished and bool(self.learner.saved_epochs))
                if finished or on_trajectory or self.step == 0 or self._save_is_overdue():
                    self._save(on_trajectory=on_trajectory)
                if finished:
                    return
                self._train(pending)

    def _raise_if(self, pending: PendingSignal) -> None:
        if pending.signum is None:
            return
        self._save()
        raise Interrupted(
            f"interrupted after {self.learner.place(self.epoch, self.step)}; saved in "
            f"{self.folder}: the same again with --resume goes on",
            pending.signum,
        )

    def _train(self, pending: PendingSignal) -> None:
        """Train on, to the next epoch of note at the most."""
        start, before = time.perf_counter(), self.step
        self.epoch, self.batch = self.learner.train(
            self.epoch,
            self.batch,
            self._next_of_note(),
            lambda: pending.signum is not None or self._save_is_overdue(),
        )
        if self._is_evaluation_due():
            self.learner.device.synchronise()
        elapsed = time.perf_counter() - start
        self.seconds += elapsed
        self._note(self.pace.ran(self.step - before, elapsed))
        for observer in self.observers:
            observer.epoch_done(self.epoch)

    def _write_config(self) -> None:
        record = {**self.learner.record(), SESSIONS: self._sessions}
        atomic.write_json(self.folder / layout.CONFIG, record)

    def _note(self, text: str | None) -> None:
        """Tell whoever follows the run and listens, and record a change of its bits."""
        if text is not None and self.pace.has_other_bits:
            here = replace(self.learner.device, threads=self.pace.threads)
            self._sessions = begun(self._sessions, here, self.step)
            self._write_config()
        for observer in self.observers:
            if text is not None and isinstance(observer, Listener):
                observer.noted(text)

    def _has_same_bits(self, threads: int) -> bool:
        """Whether steps of every size that the run has come to the same bits with so many threads
        as with those that it was given. Whether an evaluation does is noted.
        """
        learner, epoch = self.learner, min(self.epoch, self.learner.n_epochs - 1)
        host, dtype = learner.device.torch_device, learner.device.torch_dtype

        def computed(n: int) -> tuple[list[Mapping[str, Tensor]], E]:
            with learner.device.with_threads(n):
                batches = sorted({0, learner.steps_per_epoch - 1})
                steps = [learner.gradients(epoch, batch, host, dtype) for batch in batches]
                return steps, learner.evaluate(self.epoch, self.step, self.seconds)

        try:
            (steps, evaluation), (others, other) = map(computed, (learner.device.threads, threads))
        except Diverged:
            return False
        if evaluation != other:
            self._evaluates_otherwise.add(threads)
        return all(
            torch.equal(step[name], own[name])
            for step, own in zip(steps, others, strict=True)
            for name in step
        )

    def _next_of_note(self) -> int:
        """The next epoch that is evaluated or saved."""
        every = self.learner.eval_every
        later = self._noted_epochs[bisect.bisect_right(self._noted_epochs, self.epoch) :][:1]
        return min((self.epoch // every + 1) * every, self.learner.n_epochs, *later)

    def _is_evaluation_due(self) -> bool:
        learner = self.learner
        is_regular = self.epoch % learner.eval_every == 0 or self.epoch >= learner.n_epochs
        return is_regular or self.epoch in learner.also_evaluated

    def _evaluate_if_due(self) -> None:
        due = self._is_evaluation_due()
        if not due or (self.history and self.history[-1].epoch == self.epoch):
            return
        threads = self.pace.threads
        if threads in self._evaluates_otherwise:
            threads = self.learner.device.threads
        try:
            with self.learner.device.with_threads(threads):
                evaluation = self.learner.evaluate(self.epoch, self.step, self.seconds)
        except Diverged:
            self._fail_diverged()
        self.history.append(evaluation)
        atomic.append_line(self.folder / layout.METRICS, _line(evaluation))
        for observer in self.observers:
            observer.evaluated(evaluation)

    def _is_finished(self) -> bool:
        if self.epoch >= self.learner.n_epochs:
            return True
        if not self.history or self.history[-1].epoch != self.epoch:
            return False
        return self.learner.is_done(self.history)

    def _save_is_overdue(self) -> bool:
        return time.monotonic() - self._saved_at > SECONDS_BETWEEN_SAVES

    def _save(self, *, on_trajectory: bool = False) -> None:
        """Save the weights, as a checkpoint of the trajectory too, and then the state to resume
        from: a crash in between leaves an older state, and the same weights come again.
        """
        if not self.learner.is_finite():
            self._fail_diverged()
        tensors = self.learner.weights()
        metadata = self.learner.metadata(self.epoch, self.step)
        if on_trajectory:
            name = f"{self.step:08d}.safetensors"
            checkpoint.save(self.folder / layout.TRAJECTORY / name, tensors, metadata)
        checkpoint.save(self.folder / layout.CHECKPOINT, tensors, metadata)
        progress = as_dict(Progress(self.epoch, self.batch, self.seconds))
        checkpoint.write_tensors(self.folder / layout.RESUME, self.learner.state(), progress)
        self._saved_at = time.monotonic()

    def _fail_diverged(self) -> NoReturn:
        if self.step == 0:
            raise RunError(
                "the loss of the untrained model is no finite number: its first weights are too "
                "large; start from smaller ones, as with a lower --init-scale"
            )
        last = self.history[-1].epoch if self.history else 0
        kept = self.folder / layout.CHECKPOINT
        raise RunError(
            f"the loss is no finite number at {self.learner.unit} {self.epoch} (the last that was "
            f"one: at {last}): training diverged; {self.learner.advice}. {kept} holds the last "
            "good weights"
        )


def history_of(path: Path, evaluation: type[T], step: int) -> tuple[T, ...]:
    """The evaluations of the run that a checkpoint is of up to its step, if they lie beside it.

    Raises:
        InputError: they are damaged.
    """
    lines = atomic.read_lines(layout.run_of(path) / layout.METRICS)
    history = [build(evaluation, line, InputError) for line in lines]
    return tuple(e for e, line in zip(history, lines, strict=True) if line["step"] <= step)


def _line(evaluation: Any) -> dict[str, Any]:
    return asdict(evaluation)
