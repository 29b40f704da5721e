"""What ``mitool superpose mono`` does once its options are read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table

from mitool import checkpoint, rundir
from mitool.analysis.monosemanticity import (
    claim_names,
    engineer_monosemanticity,
    restudy_monosemanticity,
)
from mitool.cli.analysis import Destination, write_analysis
from mitool.cli.checks import require_known
from mitool.cli.output import Output
from mitool.cli.progress import short, shown_steps
from mitool.cli.superposition import REMEDY, Request, write_result
from mitool.config import as_dict, build, nearest, non_defaults
from mitool.device import Device
from mitool.errors import UsageError
from mitool.report import monosemanticity_report
from mitool.result import Result
from mitool.settings.monosemanticity import (
    PRESETS,
    SCALES,
    Axes,
    MonosemanticitySettings,
    Preset,
    ScaleName,
    Value,
)
from mitool.sweeps.grid import parse_values
from mitool.training.monosemanticity import (
    MonosemanticityConfig,
    MonosemanticityEvaluation,
    run_name,
)


def configs(
    preset: str | None,
    scale: ScaleName,
    sweep: Sequence[str],
    stated: Mapping[str, Any],
    device: Device,
    seed: int,
) -> tuple[MonosemanticityConfig, MonosemanticityConfig]:
    """What is asked for, and the line of the table that it started from.

    Args:
        sweep: such as ``learning-rate=0.001,0.003``; in the place of what the preset sweeps.
        stated: settings that were given, in the place of the preset's.

    Raises:
        UsageError: there is no such preset or scale, or a setting is not in its range.
    """
    if preset is not None and preset.upper() not in PRESETS:
        raise UsageError(f"no preset named {preset!r}: {nearest(preset.upper(), PRESETS)}")
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


def _axes(texts: Sequence[str], settings: MonosemanticitySettings) -> Axes:
    axes: dict[str, tuple[Value, ...]] = {}
    for text in texts:
        typed, equals, values = text.partition("=")
        name = typed.strip().replace("-", "_")
        if not equals:
            raise UsageError(
                "--sweep: expected SETTING=VALUES such as learning-rate=0.001,0.003, found "
                f"{text!r}"
            )
        if name in axes:
            raise UsageError(f"--sweep: {name} is given twice: give all its values at once")
        stated = as_dict(settings)
        axes[name] = tuple(
            getattr(build(MonosemanticitySettings, stated | {name: value}), name)
            for value in parse_values(values, f"--sweep: {name}")
        )
    return axes


def train_and_draw(
    output: Output,
    config: MonosemanticityConfig,
    reference: MonosemanticityConfig,
    request: Request,
) -> None:
    """Train the models of a sweep, and write their report into the run's folder."""
    require_known(output.checks, claim_names(config))
    is_published = config.scale == "published" and config.settings == reference.settings
    if is_published and config.device.is_host:
        output.note("the published sizes take a CPU days; --scale small takes minutes")
    folder = request.out or rundir.RUNS / run_name(config, reference)
    n_models = len(config.points())
    models = "1 model" if n_models == 1 else f"{n_models} models"
    label = f"mono, {models}, seed {config.seed}"
    with shown_steps(output, label, config.settings.steps, _metrics) as observers:
        result = engineer_monosemanticity(
            config,
            folder,
            observers=observers,
            resume=request.resume,
            overwrite=request.overwrite,
        )
    report = monosemanticity_report(result, request.command_line)
    write_result(output, folder, result, report, request)


def redraw(output: Output, source: Path, request: Request) -> None:
    """Study the models of a checkpoint, and write a report of its own."""
    path = checkpoint.find(source)
    folder = request.out or rundir.folder_beside(path, "mono")
    destination = Destination(folder, request.overwrite, request.formats)
    with destination.claimed(REMEDY):
        result = restudy_monosemanticity(path)
        report = monosemanticity_report(result, request.command_line)
        write_analysis(output, destination, result, report)


def list_presets(output: Output) -> None:
    """Print the published table."""
    defaults = MonosemanticitySettings()
    table = Table("preset", "settings that differ from the defaults", "swept", box=None)
    subject = {}
    for name, preset in PRESETS.items():
        own = non_defaults(preset.settings, defaults)
        swept = {axis: list(values) for axis, values in preset.axes.items()}
        subject[name] = {"settings": as_dict(preset.settings), "sweep": swept}
        table.add_row(
            name,
            " ".join(f"--{axis.replace('_', '-')} {value}" for axis, value in own.items()),
            "; ".join(
                f"{axis} {values[0]} to {values[-1]}, {len(values)} values"
                for axis, values in swept.items()
            ),
        )
    output.finish(Result({"presets": subject}, {}, {"presets": list(PRESETS)}), tables=[table])


def _metrics(evaluation: MonosemanticityEvaluation) -> str:
    return f"loss {short(evaluation.mean_loss)}, up to {evaluation.most_monosemantic} monosemantic"
