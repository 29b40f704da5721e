"""``mitool analyze fourier``: the algorithm that a model of modular arithmetic learned."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    FormatOption,
    OutOption,
    OverwriteOption,
    PathArgument,
    TaskOption,
    ThreadsOption,
    request_of,
    task_named,
)
from mitool.cli.settings import takes_settings
from mitool.core.config import build
from mitool.settings import FourierSettings

if TYPE_CHECKING:
    from mitool.cli.output import Output

PANEL = "Analysis"

CheckpointsOption = Annotated[
    Literal["last", "all"],
    typer.Option(
        help="last: the last checkpoint; all: follow the progress measures through the others too.",
        rich_help_panel=PANEL,
    ),
]


@command("analyze fourier")
@takes_settings(FourierSettings, PANEL)
def fourier(
    output: "Output",
    path: PathArgument,
    task: TaskOption = None,
    checkpoints: CheckpointsOption = "last",
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    report_format: FormatOption = None,
    threads: ThreadsOption = None,
    **settings: Any,
) -> None:
    """Find the trig identities behind modular arithmetic, test them, and write the formula.

    Sources: Nanda et al. 2023, arXiv 2301.05217; TransformerLens Grokking_Demo
    """
    from mitool.actions import analyses
    from mitool.actions.writing import claimed, write_analysis
    from mitool.core.device import exact
    from mitool.models.subject import folder_of, load
    from mitool.report import Formats, fourier_report
    from mitool.storage import checkpoint

    chosen, device = build(FourierSettings, settings), exact(threads)
    request = request_of(output, out, Formats.parse(report_format), overwrite=overwrite)
    of_file, folder = task_named(task), out or folder_of(str(path), "fourier")
    with claimed(folder, request, analyses.REMEDIES["fourier"]):
        subject = load(path, of_file)
        trajectory = checkpoint.trajectory(path) if checkpoints == "all" else []
        result = analyses.fourier(
            subject,
            chosen,
            trajectory,
            device,
            output.progress,
            expect=output.require_known,
        )
        report = fourier_report(result, request.again)
        done = write_analysis(request, folder, result, report)
    output.finish_done(done)
