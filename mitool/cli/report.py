"""``mitool report RUN``: one page that gathers all reports of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitool.cli.command import command
from mitool.cli.common import OUTPUT_PANEL, command_line

if TYPE_CHECKING:
    from mitool.cli.output import Output


@command("report")
def report(
    output: "Output",
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run directory, or a folder of several.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder to write index.html to; left out: RUN.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
) -> None:
    """Gather all reports of a run on one page, from what was trained to its circuit.

    Finds the results in RUN and below it, wherever their commands put them, and writes
    index.html: what each found, the command that gives it again, and a link to its report. It
    says which are older than the checkpoint, and which are still to be made.

    Example: mitool report runs/first
    """
    from mitool.report import gather, write_index
    from mitool.storage import atomic, layout

    result = gather(folder, out)
    atomic.require_writable(result.page)
    output.note(f"writing {result.page / layout.INDEX}")
    output.finish(result, artifacts=[write_index(result, command_line())])
