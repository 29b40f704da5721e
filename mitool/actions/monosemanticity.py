"""Models that engineer monosemanticity, trained or studied again, with their report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitool.actions.request import Done, Request
from mitool.actions.superposition import REMEDY
from mitool.actions.writing import claimed, write_analysis, write_training
from mitool.analysis.monosemanticity import (
    MonosemanticityResult,
    engineer_monosemanticity,
    restudy_monosemanticity,
)
from mitool.console.progress import short, shown_steps
from mitool.console.terminal import note
from mitool.core.config import as_dict, build, nearest
from mitool.core.device import Device
from mitool.core.errors import UsageError
from mitool.report import monosemanticity_report
from mitool.settings.monosemanticity import (
    PRESETS,
    SCALES,
    Axes,
    MonosemanticitySettings,
    Preset,
    ScaleName,
)
from mitool.storage import checkpoint, layout
from mitool.storage.locking import held
from mitool.training.monosemanticity import (
    MonosemanticityConfig,
    MonosemanticityEvaluation,
    run_name,
)


def configs(
    preset: str | None,
    scale: ScaleName,
    sweep: Mapping[str, Sequence[object]],
    stated: Mapping[str, Any],
    device: Device,
    seed: int,
) -> tuple[MonosemanticityConfig, MonosemanticityConfig]:
    """What is asked for, and the line of the table that it started from.

    Args:
        sweep: the values of settings, in the place of what the preset sweeps.
        stated: settings that were given, in the place of the preset's.

    Raises:
        UsageError: there is no such preset or scale, or a setting is not in its range.
    """
    if preset is not None and preset.upper() not in PRESETS:
        raise UsageError(f"no preset named {preset!r}: {nearest(preset.upper(), PRESETS)}")
    if scale not in SCALES:
        raise UsageError(f"scale: expected one of {', '.join(SCALES)}, found {scale!r}")
    name = preset.upper() if preset is not None else None
    published = PRESETS[name] if name else Preset(MonosemanticitySettings(), {})
    scaled = SCALES[scale](published)
    reference = MonosemanticityConfig(scaled.settings, device, seed, scaled.axes, name, scale)
    settings = build(MonosemanticitySettings, as_dict(scaled.settings) | dict(stated))
    left = {axis: values for axis, values in scaled.axes.items() if axis not in stated}
    axes = _axes(sweep, settings) if sweep else left
    if both := [axis for axis in axes if axis in stated]:
        raise UsageError(f"--sweep: {both[0]} is given twice: sweep it, or give one value")
    return replace(reference, settings=settings, axes=axes), reference


def _axes(sweep: Mapping[str, Sequence[object]], settings: MonosemanticitySettings) -> Axes:
    stated = as_dict(settings)
    return {
        name: tuple(
            getattr(build(MonosemanticitySettings, stated | {name: value}), name)
            for value in values
        )
        for name, values in sweep.items()
    }


def train_and_draw(
    request: Request, config: MonosemanticityConfig, reference: MonosemanticityConfig
) -> Done[MonosemanticityResult]:
    """Train the models of a sweep, and write their report into the run's folder."""
    is_published = config.scale == "published" and config.settings == reference.settings
    if is_published and config.device.is_host:
        note(request.console, "the published sizes take a CPU days; --scale small takes minutes")
    folder = request.out or layout.RUNS / run_name(config, reference)
    n_models = len(config.points())
    models = "1 model" if n_models == 1 else f"{n_models} models"
    label = f"mono, {models}, seed {config.seed}"
    with held(folder):
        with shown_steps(request.console, label, config.settings.steps, _metrics) as observers:
            result = engineer_monosemanticity(
                config,
                folder,
                observers=observers,
                resume=request.resume,
                overwrite=request.overwrite,
            )
        report = monosemanticity_report(result, request.again)
        return write_training(request, folder, result, report)


def redraw(request: Request, source: Path, device: Device) -> Done[MonosemanticityResult]:
    """Study the models of a checkpoint, on the CPU, and write a report of its own."""
    path = checkpoint.find(source)
    folder = request.out or layout.folder_beside(path, "mono")
    with claimed(folder, request, REMEDY), device.on_host().active():
        result = restudy_monosemanticity(path)
        report = monosemanticity_report(result, request.again)
        return write_analysis(request, folder, result, report)


def _metrics(evaluation: MonosemanticityEvaluation) -> str:
    return f"loss {short(evaluation.mean_loss)}, up to {evaluation.most_monosemantic} monosemantic"
