"""Trainings of transformers, each with its report."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mitool.actions.request import Done, R, Request
from mitool.actions.writing import write_training
from mitool.console.progress import TrainingProgress, short
from mitool.core.numerals import share
from mitool.report import training_report
from mitool.storage import layout
from mitool.storage.locking import held
from mitool.training import (
    Evaluation,
    Observer,
    RunConfig,
    SeedsResult,
    TrainResult,
    run_name,
    train,
    train_seeds,
)
from mitool.training.tensorboard import TensorBoardLog

ObserversOf = Callable[[RunConfig, Path], Sequence[Observer[Evaluation]]]


def train_one(
    request: Request, config: RunConfig, *, tensorboard: bool = False
) -> Done[TrainResult]:
    """Train one model, and write its report; errors are those of ``mitool.training.train``."""
    folder = request.out or layout.RUNS / run_name(config, str(config.seed))
    with held(folder):
        with _observed(request, tensorboard) as observers:
            result = train(
                config,
                folder,
                observers=observers(config, folder),
                resume=request.resume,
                overwrite=request.overwrite,
            )
        return _written(request, result)


def train_each(
    request: Request, config: RunConfig, seeds: Sequence[int], *, tensorboard: bool = False
) -> Done[SeedsResult]:
    """Train one model for each seed, and write a report of each and one of all."""
    first, last = seeds[0], seeds[-1]
    in_order = list(seeds) == list(range(first, last + 1))
    label = f"{first}to{last}" if in_order else "_".join(map(str, seeds))
    folder = request.out or layout.RUNS / run_name(config, label)
    with held(folder):
        with _observed(request, tensorboard) as observers:
            result = train_seeds(
                config,
                seeds,
                folder,
                observers=observers,
                # while the other seeds are still to come
                finished=lambda run: _written(request, run),
                resume=request.resume,
                overwrite=request.overwrite,
            )
        return _written(request, result)


def _written(request: Request, result: R) -> Done[R]:
    assert isinstance(result, TrainResult | SeedsResult)
    report = training_report(result, request.again)
    return write_training(request, result.folder, result, report)


@contextlib.contextmanager
def _observed(request: Request, tensorboard: bool) -> Iterator[ObserversOf]:
    """What follows the runs: progress where there is a console, TensorBoard where asked for."""
    console = request.console
    progress = None if console is None else TrainingProgress(console, _metrics)

    def observers(config: RunConfig, folder: Path) -> Sequence[Observer[Evaluation]]:
        made: list[Observer[Evaluation]] = []
        if progress is not None:
            label = f"{config.task.name} seed {config.seed}"
            made.append(progress.begin(label, config.training.epochs))
        if tensorboard:
            made.append(TensorBoardLog(folder))
        return made

    with contextlib.nullcontext() if progress is None else progress.shown():
        yield observers


def _metrics(evaluation: Evaluation) -> str:
    train, test = (short(loss) for loss in (evaluation.train_loss, evaluation.test_loss))
    return f"train {train} test {test} acc {share(evaluation.test_accuracy)}"
