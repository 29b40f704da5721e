"""``mitool analyze fourier``: the algorithm that a model of modular arithmetic learned."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    FormatOption,
    Formats,
    OutOption,
    OverwriteOption,
    ThreadsOption,
    command_line,
)
from mitool.cli.settings import takes_settings
from mitool.config import build
from mitool.settings import FourierSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Analysis"

CheckpointsOption = Annotated[
    Literal["last", "all"],
    typer.Option(
        help="all: follow the progress measures through the run's checkpoints as well.",
        rich_help_panel=PANEL,
    ),
]


@command("analyze fourier")
@takes_settings(FourierSettings, PANEL)
def fourier(
    output: "Output",
    path: Annotated[Path, typer.Argument(help="A checkpoint, or a run directory.")],
    checkpoints: CheckpointsOption = "last",
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    report_format: FormatOption = None,
    threads: ThreadsOption = None,
    **settings: Any,
) -> None:
    """Find the trig identities behind modular arithmetic, test them, and write the formula.

    Example: mitool analyze fourier runs/modadd-p113-seed0 --checkpoints all

    Sources: Nanda et al. 2023, arXiv 2301.05217; TransformerLens Grokking_Demo
    """
    from mitool import checkpoint
    from mitool.analysis.fourier import analyze_fourier
    from mitool.cli.analysis import Destination, write_analysis
    from mitool.cli.progress import counted
    from mitool.device import exact
    from mitool.report import fourier_report
    from mitool.subject import load

    chosen, device = build(FourierSettings, settings), exact(threads)
    formats = Formats.parse(report_format)
    subject = load(path)
    trajectory = checkpoint.trajectory(path) if checkpoints == "all" else []
    destination = Destination(out or subject.output_folder("fourier"), overwrite, formats)
    with destination.claimed("analyse a model of a smaller p"):
        with counted(output, "checkpoints") as observer:
            result = analyze_fourier(
                subject, chosen, checkpoints=trajectory, device=device, observer=observer
            )
        write_analysis(output, destination, result, fourier_report(result, command_line()))
