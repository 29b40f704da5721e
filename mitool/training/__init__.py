"""Training: a task, a model and settings in; a run directory and a result out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mitool.core.config import as_dict, non_defaults
from mitool.core.memory import out_of_memory_is_an_error
from mitool.core.result import Claim, Result
from mitool.storage import atomic, layout, locking
from mitool.tasks import Task
from mitool.training.config import FREE_TO_CHANGE, RunConfig, require_same
from mitool.training.learner import Observer
from mitool.training.metrics import GROKKED_EPOCHS, Evaluation, grokked_at, memorised_at
from mitool.training.run import Run
from mitool.training.sessions import moves
from mitool.training.transformers import TransformerLearner

__all__ = [
    "Evaluation",
    "Observer",
    "RunConfig",
    "SeedsResult",
    "TrainResult",
    "claim_names",
    "run_name",
    "train",
    "train_seeds",
]


CLAIMS = (
    *("epochs", "train_loss", "test_loss", "train_accuracy", "test_accuracy", "memorised_at"),
    *("grokked_at", "seconds_training", "steps_per_second"),
)
SEVERAL_ANSWERS_CLAIMS = ("train_sequence_accuracy", "test_sequence_accuracy")
"""The names of a run's claims, and those that it has where an example has several answers."""


@dataclass(frozen=True)
class TrainResult(Result):
    """A finished run.

    Attributes:
        folder: its run directory.
        history: its evaluations.
        answer_labels: what each answer position is.
    """

    folder: Path
    history: tuple[Evaluation, ...]
    answer_labels: tuple[str, ...]


@dataclass(frozen=True)
class SeedsResult(Result):
    """Finished runs that differ in their seed."""

    folder: Path
    runs: tuple[TrainResult, ...]


def train(
    config: RunConfig,
    folder: Path,
    *,
    observers: Sequence[Observer[Evaluation]] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> TrainResult:
    """Train a model from nothing, or go on with the run in ``folder``.

    Args:
        observers: told of each epoch and evaluation.
        resume: go on with the run that the folder holds, if it holds one; the weights will be
            those of the uninterrupted run, bit for bit.
        overwrite: replace the run that the folder holds.

    Raises:
        UsageError: the settings do not fit together, or the folder cannot be used.
        InputError: the run to resume is damaged.
        RunError: the loss diverged, or memory or disk ran out.
        Interrupted: SIGINT or SIGTERM arrived; the state is saved.
    """
    remedy = "take a smaller model or task, or fewer examples a step with --batch-size"
    with config.device.active(), out_of_memory_is_an_error(remedy):
        run = Run(TransformerLearner(config), folder, observers)
        run.complete(resume=resume, overwrite=overwrite)
    return _result(config, run)


def train_seeds(
    config: RunConfig,
    seeds: Sequence[int],
    folder: Path,
    *,
    observers: Callable[
        [RunConfig, Path], Sequence[Observer[Evaluation]]
    ] = lambda config, folder: (),
    finished: Callable[[TrainResult], object] = lambda run: None,
    resume: bool = False,
    overwrite: bool = False,
) -> SeedsResult:
    """Train one model for each seed, in ``folder/seedN``; see ``train``.

    A folder can be resumed with more seeds than it has.

    Args:
        observers: makes the observers of a run from its configuration and folder.
        finished: told of each run when it has finished, before the next one starts.

    Raises:
        UsageError: as of ``train``, or the folder's run is without some of its seeds.
        InputError, RunError, Interrupted: as of ``train``.
    """
    configs = [replace(config, seed=seed) for seed in seeds]
    record = config.as_dict() | {
        "seed": list(seeds),
        "split_seed": [one.data_seed for one in configs],
    }
    runs = []
    with locking.claimed(folder, overwrite=overwrite, resume=resume):
        if resume and layout.holds_run(folder):
            _require_same_seeds(config, atomic.read_json(folder / layout.CONFIG), record)
        atomic.write_json(folder / layout.CONFIG, record)
        for one in configs:
            place = folder / f"seed{one.seed}"
            followers = observers(one, place)
            run = train(one, place, observers=followers, resume=resume, overwrite=overwrite)
            finished(run)
            runs.append(run)
    return _seeds_result(seeds, folder, record, runs)


def claim_names(task: Task, seeds: Sequence[int] | None = None) -> list[str]:
    """What the claims of a training will be called."""
    several = SEVERAL_ANSWERS_CLAIMS if len(task.answer_positions) > 1 else ()
    names = [*CLAIMS, *several]
    return names if seeds is None else [f"seed{seed}.{name}" for seed in seeds for name in names]


def run_name(config: RunConfig, seed: str) -> str:
    """A folder name that says task, parameters that are not the defaults, and seed."""
    task, cls = config.task, type(config.task)
    first = next(iter(as_dict(task)), None)
    shown = as_dict(task).items()
    defaults = as_dict(cls())
    parts = [f"{k}{v}" for k, v in shown if k == first or v != defaults[k]]
    changed = non_defaults(config.model, cls.model) | non_defaults(config.training, cls.training)
    parts += [f"{k}_{v}" for k, v in changed.items() if k not in FREE_TO_CHANGE]
    parts += [config.device.dtype] if config.device.dtype != "float32" else []
    parts += [f"split{config.split_seed}"] if config.split_seed is not None else []
    return layout.folder_name(task.name, *parts, f"seed{seed}")


def _require_same_seeds(config: RunConfig, saved: dict[str, Any], asked: dict[str, Any]) -> None:
    """Check that a folder of seeds is resumed with its settings, and with all of its seeds."""
    seeds = saved.get("seed")
    if isinstance(seeds, list) and set(seeds) <= set(asked["seed"]):
        saved = saved | {name: asked[name] for name in ("seed", "split_seed")}
    require_same(saved, asked, config.free_to_change)


def _seeds_result(
    seeds: Sequence[int], folder: Path, record: dict[str, Any], runs: Sequence[TrainResult]
) -> SeedsResult:
    claims: dict[str, Claim] = {
        f"seed{seed}.{name}": value
        for seed, run in zip(seeds, runs, strict=True)
        for name, value in run.claims.items()
    }
    return SeedsResult(
        {"task": runs[0].subject["task"], "run": str(folder), "seeds": list(seeds)},
        record,
        claims,
        folder=folder,
        runs=tuple(runs),
        warnings=tuple(
            f"seed {seed}: {warning}"
            for seed, run in zip(seeds, runs, strict=True)
            for warning in run.warnings
        ),
    )


def _undefined(config: RunConfig, run: Run[Evaluation]) -> list[str]:
    """Why a run has neither memorised nor grokked, where it could have: a stream of fresh examples
    has none to memorise, and a run shorter than what grokking is told by has not grokked.
    """
    if config.task.n_examples is None:
        return []
    found = []
    if memorised_at(run.history) is None:
        found.append(
            "memorised_at is undefined: at every evaluation some training example was wrong"
        )
    if grokked_at(run.history) is None and run.epoch >= GROKKED_EPOCHS:
        found.append(
            "grokked_at is undefined: test accuracy was not 1 with test loss < 1e-4 over "
            f"{GROKKED_EPOCHS} epochs"
        )
    return found


def _result(config: RunConfig, run: Run[Evaluation]) -> TrainResult:
    last = run.history[-1]
    claims: dict[str, Claim] = {
        "epochs": run.epoch,
        "train_loss": last.train_loss,
        "test_loss": last.test_loss,
        "train_accuracy": last.train_accuracy,
        "test_accuracy": last.test_accuracy,
        "memorised_at": memorised_at(run.history),
        "grokked_at": grokked_at(run.history),
        "seconds_training": run.seconds,
        "steps_per_second": run.step / run.seconds if run.seconds else None,
    }
    if len(last.test_position_losses) > 1:
        claims["train_sequence_accuracy"] = last.train_sequence_accuracy
        claims["test_sequence_accuracy"] = last.test_sequence_accuracy
    record = config.as_dict()
    subject = {
        "task": record["task"],
        "run": str(run.folder),
        "checkpoint": str(run.folder / layout.CHECKPOINT),
    }
    return TrainResult(
        subject,
        record,
        claims,
        folder=run.folder,
        history=tuple(run.history),
        answer_labels=config.task.answer_labels,
        warnings=(
            *_undefined(config, run),
            *moves(run.folder),
            *run.pace.warnings,
        ),
    )
