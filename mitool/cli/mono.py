"""``mitool superpose mono``: models whose neurons may each stand for one feature."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    DeviceOption,
    FormatOption,
    Formats,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    command_line,
)
from mitool.cli.settings import option_name, options, take_options
from mitool.cli.superpose import FromOption, require_no_training
from mitool.settings.monosemanticity import PRESETS, SCALES, MonosemanticitySettings, ScaleName

if TYPE_CHECKING:
    from mitool.cli.output import Output

MODELS_PANEL = "Models"


def complete_preset(incomplete: str) -> list[str]:
    return [name for name in PRESETS if name.lower().startswith(incomplete.lower())]


PresetArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="PRESET",
        help="A line of the published table, LR1 to D1: its settings, and what it sweeps.",
        autocompletion=complete_preset,
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
    from mitool import device as devices
    from mitool.cli.monosemanticity import configs, list_presets, redraw, train_and_draw
    from mitool.cli.superposition import Request

    if list_all:
        list_presets(output)
        return
    stated = {name: value for name, value in settings.items() if value is not None}
    request = Request(out, resume, overwrite, Formats.parse(report_format), command_line())
    if source is not None:
        others = {"PRESET": preset, "--seed": seed, "--resume": resume, "--sweep": sweep}
        given = [name for name, value in others.items() if value]
        require_no_training([*given, *map(option_name, stated)])
        redraw(output, source, request)
        return
    compute = devices.resolve(device, threads=threads)
    config, reference = configs(preset, scale, sweep or [], stated, compute, seed)
    train_and_draw(output, config, reference, request)


run.__doc__ = """Train neurons to stand for one feature each, over a sweep of settings.

Example: mitool superpose mono LR1 --scale small

Sources: Jermyn et al. 2022, Engineering Monosemanticity in Toy Models, arXiv 2211.09169
"""
take_options(
    run,
    options(MonosemanticitySettings, MonosemanticitySettings(), MODELS_PANEL, otherwise="PRESET's"),
    "mono",
)
mono = command("superpose mono")(run)
