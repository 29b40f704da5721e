"""``mitool superpose EXPERIMENT``: toy models of superposition, trained and drawn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    OUTPUT_PANEL,
    DeviceOption,
    FormatOption,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    request_of,
)
from mitool.cli.completion import complete_runs
from mitool.cli.settings import option_name, options, take_options
from mitool.core.errors import UsageError
from mitool.settings import SuperpositionSettings
from mitool.settings.superposition import PRESETS

if TYPE_CHECKING:
    from mitool.cli.output import Output
    from mitool.core.device import Device

FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Train nothing, and draw the models of this checkpoint or run.",
        autocompletion=complete_runs,
        rich_help_panel=OUTPUT_PANEL,
    ),
]


def experiment_command(name: str) -> Callable[..., None]:
    """The command of an experiment: the settings of its models, and where the result goes."""
    preset = PRESETS[name]

    def run(
        output: "Output",
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
        from mitool.actions.superposition import redraw, train_and_draw
        from mitool.analysis.superposition import claim_names
        from mitool.core import device as devices
        from mitool.report import Formats
        from mitool.training.superposition import SuperpositionConfig

        formats = Formats.parse(report_format)
        request = request_of(output, out, formats, resume=resume, overwrite=overwrite)
        stated = {name: value for name, value in settings.items() if value is not None}
        compute = devices.resolve(device, threads=threads, resume=resume)
        if source is None:
            config = SuperpositionConfig(name, preset.settled(stated), compute, seed)
            output.require_known(claim_names(config))
            output.finish_done(train_and_draw(request, config))
        else:
            others = {"--seed": seed, "--resume": resume}
            given = [name for name, value in others.items() if value]
            require_no_training([*map(option_name, stated), *given])
            require_host(device, compute)
            output.finish_done(redraw(request, source, name, compute))

    run.__doc__ = (
        f"{preset.summary}\n\n"
        "Sources: Elhage et al. 2022, Toy Models of Superposition, arXiv 2209.10652"
    )
    made = options(SuperpositionSettings, preset.settings, "Models", left_out="{}")
    take_options(run, made, name, preset.settled)
    return command(f"superpose {name}")(run)


def require_no_training(given: Sequence[str]) -> None:
    """Check that nothing is asked of a training that there will not be.

    Args:
        given: what is asked for, as it is typed.

    Raises:
        UsageError: something is.
    """
    if given:
        raise UsageError(
            f"--from: draws models as they are, and cannot be given with {', '.join(given)}"
        )


def require_host(asked: str, compute: "Device") -> None:
    """Check that models are not to be drawn by another device than the CPU.

    Args:
        asked: the device as it was asked for.

    Raises:
        UsageError: they are.
    """
    if asked != "auto" and not compute.is_host:
        raise UsageError(f"--from: models are measured on the CPU; leave --device {asked} out")


INTRO, NORMS, GEOMETRY, DIMENSIONALITY, PHASE, CORRELATED, BASIS, TRAIN = (
    experiment_command(name) for name in PRESETS
)
