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
    Formats,
    OutOption,
    OverwriteOption,
    ResumeOption,
    SeedOption,
    ThreadsOption,
    command_line,
)
from mitool.cli.settings import option_name, options, take_options
from mitool.config import build, non_defaults
from mitool.errors import UsageError
from mitool.settings import SuperpositionSettings
from mitool.settings.superposition import PRESETS

if TYPE_CHECKING:
    from mitool.cli.output import Output

EXAMPLES = {
    "intro": "mitool superpose intro --seed 1",
    "norms": "mitool superpose norms --n-features 40 --n-hidden 8",
    "geometry": "mitool superpose geometry --steps 20000",
    "dimensionality": "mitool superpose dimensionality --from runs/superpose-geometry-seed0",
    "phase": "mitool superpose phase --n-instances 10",
    "correlated": "mitool superpose correlated --n-features 6",
    "basis": "mitool superpose basis --restarts 20",
    "train": "mitool superpose train --n-features 50 --n-hidden 10 --n-instances 4",
}

FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Train nothing, and draw the models of this checkpoint or run.",
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
        from mitool import device as devices
        from mitool.cli.superposition import Request, redraw, train_and_draw
        from mitool.training.superposition import SuperpositionConfig

        request = Request(out, resume, overwrite, Formats.parse(report_format), command_line())
        chosen = build(SuperpositionSettings, settings)
        if source is None:
            compute = devices.resolve(device, threads=threads)
            config = SuperpositionConfig(name, chosen, compute, seed)
            train_and_draw(output, config, request)
        else:
            others = {"--seed": seed, "--resume": resume}
            given = [name for name, value in others.items() if value]
            changed = map(option_name, non_defaults(chosen, preset.settings))
            require_no_training([*changed, *given])
            redraw(output, source, name, request)

    run.__doc__ = (
        f"{preset.summary}\n\nExample: {EXAMPLES[name]}\n\n"
        "Sources: Elhage et al. 2022, Toy Models of Superposition, arXiv 2209.10652"
    )
    take_options(run, options(SuperpositionSettings, preset.settings, "Models"), name)
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


INTRO, NORMS, GEOMETRY, DIMENSIONALITY, PHASE, CORRELATED, BASIS, TRAIN = (
    experiment_command(name) for name in PRESETS
)
