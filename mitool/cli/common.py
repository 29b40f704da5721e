"""Options that several commands share, declared once."""

from pathlib import Path
from typing import Annotated

import typer

from mitool.errors import UsageError

OUTPUT_PANEL = "Output and device"
MOST_SEED = 2**63 - 1
"""The largest that torch takes."""

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Folder to write to; left out: one in runs/, or one beside what is studied.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="html,png",
        help="What the report is written as; left out: html, and png where a browser is found.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:INDEX or mps.", rich_help_panel=OUTPUT_PANEL),
]
DtypeOption = Annotated[str, typer.Option(help="float32 or float64.", rich_help_panel=OUTPUT_PANEL)]
ThreadsOption = Annotated[
    int | None,
    typer.Option(help="CPU threads; left out: all cores.", rich_help_panel=OUTPUT_PANEL),
]
DeterministicOption = Annotated[
    bool,
    typer.Option(
        "--deterministic",
        help="Refuse operators that may differ from run to run (a CPU run never does).",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
SeedOption = Annotated[
    int,
    typer.Option(
        min=0, max=MOST_SEED, help="Seed of all that is random.", rich_help_panel=OUTPUT_PANEL
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the run that the folder holds.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]


def parse_formats(text: str | None) -> tuple[frozenset[str], bool]:
    """The formats of a report, and whether they were asked for by name.

    Raises:
        UsageError: one of them is unknown.
    """
    from mitool.report import FORMATS

    if text is None:
        return frozenset(FORMATS), False
    names = frozenset(name.strip() for name in text.split(","))
    if unknown := sorted(names - set(FORMATS)):
        raise UsageError(f"--format: expected some of {', '.join(FORMATS)}, found {unknown[0]!r}")
    return names, True
