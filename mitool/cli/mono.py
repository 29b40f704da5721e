"""``mitool superpose mono``: models whose neurons may each stand for one feature."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    DeviceOption,
    FormatOption,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    request_of,
)
from mitool.cli.completion import one_of
from mitool.cli.settings import option_name, options, take_options
from mitool.cli.superpose import FromOption, require_host, require_no_training
from mitool.core.errors import UsageError, quoted
from mitool.settings.monosemanticity import PRESETS, SCALES, MonosemanticitySettings, ScaleName

if TYPE_CHECKING:
    from mitool.cli.output import Output

MODELS_PANEL = "Models"


PresetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="PRESET",
        help="A line of the published table, LR1 to D1: its settings, and what it sweeps.",
        autocompletion=one_of(list(PRESETS)),
    ),
]
ListOption = Annotated[
    bool, typer.Option("--list", help="List the published table, and train nothing.")
]
ScaleOption = Annotated[
    ScaleName,
    typer.Option(
        help=f"Sizes: as published, or for two cores: {SCALES['small']}.",
        rich_help_panel=MODELS_PANEL,
    ),
]
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SETTING=VALUES",
        help="Train a model for each value: learning-rate=0.001,0.003 or k=16,64. Repeatable; "
        "replaces what PRESET sweeps.",
        rich_help_panel=MODELS_PANEL,
    ),
]


def run(
    output: "Output",
    preset: PresetArgument = None,
    list_all: ListOption = False,
    scale: ScaleOption = "published",
    sweep: SweepOption = None,
    source: FromOption = None,
    out: OutOption = None,
    seed: SeedOption = 0,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    report_format: FormatOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    **settings: Any,
) -> None:
    from mitool.actions.monosemanticity import configs, redraw, train_and_draw
    from mitool.analysis.monosemanticity import claim_names
    from mitool.cli.presets import list_presets
    from mitool.core import device as devices
    from mitool.report import Formats

    if list_all:
        list_presets(output)
        return
    stated = {name: value for name, value in settings.items() if value is not None}
    formats = Formats.parse(report_format)
    request = request_of(output, out, formats, resume=resume, overwrite=overwrite)
    compute = devices.resolve(device, threads=threads, resume=resume)
    if source is not None:
        others = {"PRESET": preset, "--seed": seed, "--resume": resume, "--sweep": sweep}
        given = [name for name, value in others.items() if value]
        require_no_training([*given, *map(option_name, stated)])
        require_host(device, compute)
        output.finish_done(redraw(request, source, compute))
        return
    axes = parse_axes(sweep or [])
    config, reference = configs(preset, scale, axes, stated, compute, seed)
    output.require_known(claim_names(config))
    output.finish_done(train_and_draw(request, config, reference))


def parse_axes(texts: Sequence[str]) -> dict[str, list[str]]:
    """The values of settings, from texts such as ``learning-rate=0.001,0.003``.

    Raises:
        UsageError: one is no such text, or a setting comes twice.
    """
    from mitool.sweeps.grid import parse_values

    axes: dict[str, list[str]] = {}
    for text in texts:
        typed, equals, values = text.partition("=")
        name = typed.strip().replace("-", "_")
        if not equals:
            raise UsageError(
                "--sweep: expected SETTING=VALUES such as learning-rate=0.001,0.003, found "
                f"{quoted(text)}"
            )
        if name in axes:
            raise UsageError(f"--sweep: {name} is given twice: give all its values at once")
        axes[name] = parse_values(values, f"--sweep: {name}")
    return axes


run.__doc__ = """Train neurons to stand for one feature each, over a sweep of settings.

Sources: Jermyn et al. 2022, Engineering Monosemanticity in Toy Models, arXiv 2211.09169
"""
SHOWN = "{}, or PRESET's"
MADE = options(MonosemanticitySettings, MonosemanticitySettings(), MODELS_PANEL, left_out=SHOWN)
take_options(run, MADE, "mono")
mono = command("superpose mono")(run)
