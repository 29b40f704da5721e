"""What ``mitool train`` does once its options are read."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitool import files, rundir
from mitool.cli.checks import require_known
from mitool.cli.common import Formats
from mitool.cli.output import Output
from mitool.cli.progress import TrainingProgress, short
from mitool.report import Written, training_report
from mitool.training import (
    Evaluation,
    Observer,
    RunConfig,
    SeedsResult,
    TrainResult,
    claim_names,
    run_name,
    train,
    train_seeds,
)
from mitool.training.tensorboard import TensorBoardLog

ObserversOf = Callable[[RunConfig, Path], Sequence[Observer[Evaluation]]]


@dataclass(frozen=True)
class Request:
    """A training, as asked for on the command line."""

    config: RunConfig
    seeds: Sequence[int] | None
    out: Path | None
    resume: bool
    overwrite: bool
    tensorboard: bool
    formats: Formats
    command_line: str


def train_and_report(output: Output, request: Request) -> None:
    """Train one model, or one for each seed, and write the reports."""
    require_known(output.checks, claim_names(request.config.task, request.seeds))
    result = _train(output, request)
    written = _report(output, request, result)
    checkpoints = [result.folder / rundir.CHECKPOINT] if isinstance(result, TrainResult) else []
    output.finish(
        result,
        folder=result.folder,
        artifacts=[*checkpoints, *written.artifacts],
        warnings=written.warnings,
    )


def _report(output: Output, request: Request, result: TrainResult | SeedsResult) -> Written:
    output.note(f"writing {result.folder / rundir.REPORT}")
    report = training_report(result, request.command_line)
    return request.formats.write(result.folder, report)


def _report_seed(output: Output, request: Request, run: TrainResult) -> None:
    """Write what a run of its own would leave, while the other seeds are still to come."""
    written = _report(output, request, run)
    artifacts = [run.folder / rundir.CHECKPOINT, *written.artifacts]
    envelope = output.envelope(run, artifacts, [*run.warnings, *written.warnings])
    files.write_json(run.folder / rundir.RESULT, envelope)


def _train(output: Output, request: Request) -> TrainResult | SeedsResult:
    with _observed(output, request) as observers:
        if request.seeds is None:
            folder = request.out or rundir.RUNS / run_name(request.config, str(request.config.seed))
            return train(
                request.config,
                folder,
                observers=observers(request.config, folder),
                resume=request.resume,
                overwrite=request.overwrite,
            )
        first, last = request.seeds[0], request.seeds[-1]
        in_order = list(request.seeds) == list(range(first, last + 1))
        label = f"{first}to{last}" if in_order else "_".join(map(str, request.seeds))
        folder = request.out or rundir.RUNS / run_name(request.config, label)
        return train_seeds(
            request.config,
            request.seeds,
            folder,
            observers=observers,
            finished=lambda run: _report_seed(output, request, run),
            resume=request.resume,
            overwrite=request.overwrite,
        )


@contextlib.contextmanager
def _observed(output: Output, request: Request) -> Iterator[ObserversOf]:
    """What follows the runs: progress on stderr unless quiet, TensorBoard where asked for."""
    progress = TrainingProgress(output.stderr, _metrics)

    def observers(config: RunConfig, folder: Path) -> Sequence[Observer[Evaluation]]:
        made: list[Observer[Evaluation]] = []
        if not output.quiet:
            label = f"{config.task.name} seed {config.seed}"
            made.append(progress.begin(label, config.training.epochs))
        if request.tensorboard:
            made.append(TensorBoardLog(folder))
        return made

    with contextlib.nullcontext() if output.quiet else progress.shown():
        yield observers


def _metrics(evaluation: Evaluation) -> str:
    train, test = (short(loss) for loss in (evaluation.train_loss, evaluation.test_loss))
    return f"train {train} test {test} acc {evaluation.test_accuracy:.0%}"
