"""What ``mitool train`` does once its options are read."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitool.cli.output import Output
from mitool.cli.progress import TrainingProgress
from mitool.report import write_training_report
from mitool.training import (
    Observer,
    RunConfig,
    SeedsResult,
    TrainResult,
    run_name,
    train,
    train_seeds,
)
from mitool.training.tensorboard import TensorBoardLog

RUNS = Path("runs")
ObserversOf = Callable[[RunConfig, Path], Sequence[Observer]]


@dataclass(frozen=True)
class Request:
    """A training, as asked for on the command line."""

    config: RunConfig
    seeds: Sequence[int] | None
    out: Path | None
    resume: bool
    overwrite: bool
    tensorboard: bool
    formats: frozenset[str]
    formats_explicit: bool
    command_line: str


def train_and_report(output: Output, request: Request) -> None:
    """Train one model, or one for each seed, and write the reports."""
    result = _train(output, request)
    runs = result.runs if isinstance(result, SeedsResult) else ()
    artifacts, warnings = [], []
    for one in (*runs, result):
        output.note(f"writing the report of {one.folder}")
        written = write_training_report(
            one,
            request.formats,
            explicit=request.formats_explicit,
            command=request.command_line,
        )
        artifacts += written.artifacts
        warnings += written.warnings
    output.finish(
        result, folder=result.folder, artifacts=artifacts, warnings=list(dict.fromkeys(warnings))
    )


def _train(output: Output, request: Request) -> TrainResult | SeedsResult:
    with _observed(output, request) as observers:
        if request.seeds is None:
            folder = request.out or RUNS / run_name(request.config, str(request.config.seed))
            return train(
                request.config,
                folder,
                observers=observers(request.config, folder),
                resume=request.resume,
                overwrite=request.overwrite,
            )
        label = f"{request.seeds[0]}to{request.seeds[-1]}"
        folder = request.out or RUNS / run_name(request.config, label)
        return train_seeds(
            request.config,
            request.seeds,
            folder,
            observers=observers,
            resume=request.resume,
            overwrite=request.overwrite,
        )


@contextlib.contextmanager
def _observed(output: Output, request: Request) -> Iterator[ObserversOf]:
    """What follows the runs: progress on stderr unless quiet, TensorBoard where asked for."""
    progress = TrainingProgress(output.stderr)

    def observers(config: RunConfig, folder: Path) -> Sequence[Observer]:
        made: list[Observer] = []
        if not output.quiet:
            label = f"{config.task.name} seed {config.seed}"
            made.append(progress.begin(label, config.training.epochs))
        if request.tensorboard:
            made.append(TensorBoardLog(folder))
        return made

    with contextlib.nullcontext() if output.quiet else progress.shown():
        yield observers
