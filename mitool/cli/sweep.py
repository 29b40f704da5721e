"""``mitool sweep COMMAND``: a training at every point of a grid."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitool.cli.command import command
from mitool.cli.common import (
    OUTPUT_PANEL,
    FormatOption,
    OutOption,
    OverwriteOption,
    ResumeOption,
    request_of,
)
from mitool.core.errors import UsageError

if TYPE_CHECKING:
    from mitool.cli.output import Output
    from mitool.sweeps.grid import Assignment

GRID_PANEL, WHERE_PANEL = "Grid", "Where it runs"

CommandArgument = Annotated[
    str,
    typer.Argument(
        metavar="COMMAND",
        help="What to run, in quotes: 'train TASK' or 'superpose EXPERIMENT', with any options.",
    ),
]
GridOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OPTION=VALUES",
        help="Values of one of its options: p=53,97,113; seed=0:10 (0 to 9) or 0:10:2; "
        "lr=0.001..0.03:6 (six in equal ratios). Repeatable, for all combinations.",
        rich_help_panel=GRID_PANEL,
    ),
]
GridFileOption = Annotated[
    Path | None,
    typer.Option(
        help="The grid in a file: JSON or TOML with the values of each option, or JSON with a list "
        "of points.",
        rich_help_panel=GRID_PANEL,
    ),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Draw this claim of the points. Repeatable; left out: those that vary.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Points at once, here; left out: as many as there are cores for.",
        rich_help_panel=WHERE_PANEL,
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="CPU threads of each point; left out: its share of the cores, and 1 with --ray.",
        rich_help_panel=WHERE_PANEL,
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on the Ray cluster at this address, or auto for the one that runs (needs "
        "mitool[ray]). All nodes must see --out; left out: run here.",
        rich_help_panel=WHERE_PANEL,
    ),
]
GpusOption = Annotated[
    float,
    typer.Option(
        help="GPUs of each point, with --ray: a share such as 0.25, or a whole number.",
        rich_help_panel=WHERE_PANEL,
    ),
]


@command("sweep", trains=True)
def sweep(
    output: "Output",
    base: CommandArgument,
    grid: GridOption = None,
    grid_file: GridFileOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_point: GpusOption = 0.0,
    out: OutOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    metric: MetricOption = None,
    report_format: FormatOption = None,
) -> None:
    """Run a training at every point of a grid, and compare what comes out.

    Every point is a run of its own in OUT/points; a table of all claims and one of all evaluations
    are written as CSV and Parquet, and a page that draws the claims over each option. A point that
    fails is listed and leaves the rest alone; only if all do, the exit code is 1. With --resume
    what is missing or failed is run, of this grid or of a larger one.
    """
    from mitool.cli.sweeping import Wanted, finish, sweep_and_report
    from mitool.report import Formats

    if ray is None and gpus_per_point:
        raise UsageError("--gpus-per-point is for --ray ADDRESS: give both or neither")
    if ray is not None and jobs is not None:
        raise UsageError("--jobs is for this machine: leave it out with --ray, which schedules")
    wanted = Wanted(
        base=base,
        grid=_grid(grid, grid_file),
        metrics=metric or [],
        jobs=jobs,
        threads=threads,
        ray=ray,
        gpus=gpus_per_point,
    )
    formats = Formats.parse(report_format)
    request = request_of(output, out, formats, resume=resume, overwrite=overwrite)
    finish(output, sweep_and_report(request, wanted, output.require_known))


def _grid(texts: list[str] | None, file: Path | None) -> "list[Assignment]":
    from mitool.sweeps.grid import parse_grid, read_grid

    if bool(texts) == (file is not None):
        raise UsageError("expected --grid OPTION=VALUES or --grid-file FILE, one of the two")
    return parse_grid(texts or []) if file is None else read_grid(file)
