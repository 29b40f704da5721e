"""Toy models of superposition, trained or studied again, with their report."""

from pathlib import Path

from mitool.actions.request import Done, Request
from mitool.actions.writing import claimed, write_analysis, write_training
from mitool.analysis.superposition import SuperpositionResult, restudy, superpose
from mitool.console.progress import short, shown_steps
from mitool.core.device import Device
from mitool.report import superposition_report
from mitool.storage import checkpoint, layout
from mitool.storage.locking import held
from mitool.training.superposition import SuperpositionConfig, SuperpositionEvaluation, run_name

REMEDY = "take a checkpoint of fewer or smaller models"


def train_and_draw(request: Request, config: SuperpositionConfig) -> Done[SuperpositionResult]:
    """Train the models of an experiment, and write their report into the run's folder."""
    folder = request.out or layout.RUNS / run_name(config)
    label = f"{config.experiment} seed {config.seed}"
    with held(folder):
        with shown_steps(request.console, label, config.settings.steps, _metrics) as observers:
            result = superpose(
                config,
                folder,
                observers=observers,
                resume=request.resume,
                overwrite=request.overwrite,
            )
        return write_training(request, folder, result, superposition_report(result, request.again))


def redraw(
    request: Request, source: Path, experiment: str, device: Device
) -> Done[SuperpositionResult]:
    """Study the models of a checkpoint by an experiment, on the CPU, and write a report."""
    path = checkpoint.find(source)
    folder = request.out or layout.folder_beside(path, experiment)
    with claimed(folder, request, REMEDY), device.on_host().active():
        result = restudy(path, experiment)
        report = superposition_report(result, request.again)
        return write_analysis(request, folder, result, report)


def _metrics(evaluation: SuperpositionEvaluation) -> str:
    return f"loss {short(evaluation.mean_loss)}"
