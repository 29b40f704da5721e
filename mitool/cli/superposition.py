"""What ``mitool superpose`` does once its options are read."""

from dataclasses import dataclass
from pathlib import Path

from mitool import checkpoint, rundir
from mitool.analysis.superposition import claim_names, restudy, superpose
from mitool.cli.analysis import Destination, write_analysis
from mitool.cli.checks import require_known
from mitool.cli.common import Formats
from mitool.cli.output import Output
from mitool.cli.progress import short, shown_steps
from mitool.report import Report, superposition_report
from mitool.result import Result
from mitool.training.superposition import SuperpositionConfig, SuperpositionEvaluation, run_name

REMEDY = "take a checkpoint of fewer or smaller models"


@dataclass(frozen=True)
class Request:
    """Where a result goes, and what as."""

    out: Path | None
    resume: bool
    overwrite: bool
    formats: Formats
    command_line: str


def train_and_draw(output: Output, config: SuperpositionConfig, request: Request) -> None:
    """Train the models of an experiment, and write their report into the run's folder."""
    require_known(output.checks, claim_names(config))
    folder = request.out or rundir.RUNS / run_name(config)
    label = f"{config.experiment} seed {config.seed}"
    with shown_steps(output, label, config.settings.steps, _metrics) as observers:
        result = superpose(
            config,
            folder,
            observers=observers,
            resume=request.resume,
            overwrite=request.overwrite,
        )
    report = superposition_report(result, request.command_line)
    write_result(output, folder, result, report, request)


def redraw(output: Output, source: Path, name: str, request: Request) -> None:
    """Study the models of a checkpoint by an experiment, and write a report of its own."""
    path = checkpoint.find(source)
    folder = request.out or rundir.folder_beside(path, name)
    destination = Destination(folder, request.overwrite, request.formats)
    with destination.claimed(REMEDY):
        result = restudy(path, name)
        report = superposition_report(result, request.command_line)
        write_analysis(output, destination, result, report)


def write_result(
    output: Output, folder: Path, result: Result, report: Report, request: Request
) -> None:
    """Write a run's arrays and report beside its checkpoint, and print it."""
    arrays = folder / result.arrays_name
    record = {"kind": "arrays", "subject": dict(result.subject), "config": dict(result.config)}
    checkpoint.write_tensors(arrays, result.arrays(), record)
    output.note(f"writing {folder / rundir.REPORT}")
    written = request.formats.write(folder, report)
    output.finish(
        result,
        folder=folder,
        artifacts=[folder / rundir.CHECKPOINT, arrays, *written.artifacts],
        warnings=written.warnings,
    )


def _metrics(evaluation: SuperpositionEvaluation) -> str:
    return f"loss {short(evaluation.mean_loss)}"
