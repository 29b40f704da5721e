"""Options that several commands share, declared once."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitool.cli.completion import complete_runs, one_of
from mitool.settings.seeds import MOST_SEED

if TYPE_CHECKING:
    from mitool.actions.request import Request
    from mitool.cli.output import Output
    from mitool.report import Formats

OUTPUT_PANEL = "Output and device"

DEVICES, DTYPES = "auto, cpu, cuda, cuda:INDEX, mps", ("float32", "float64")
PROMPTS = ("greater-than", "ioi")
"""What ``device`` and ``pair_prompts`` know, which are slow to load."""

ModelArgument = Annotated[
    str,
    typer.Argument(
        help="A checkpoint, a run directory, or a Hugging Face model: its folder or name.",
        autocompletion=complete_runs,
    ),
]
PathArgument = Annotated[
    Path, typer.Argument(help="A checkpoint, or a run directory.", autocompletion=complete_runs)
]
PairsOption = Annotated[
    Path | None,
    typer.Option(
        help="File of clean and corrupted texts: CSV of clean,corrupted and the answers, "
        "correct,incorrect as text, correct_idx,incorrect_idx as tokens or label (the year of a "
        "greater-than prompt), or the JSON of AutoCircuit; a column group says which pairs belong "
        "together.",
        rich_help_panel="Inputs",
    ),
]
GeneratedOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="NAME",
        help="Make pairs for a pretrained model from its tokenizer: greater-than (Hanna et al. "
        "2023) or ioi (Wang et al. 2022).",
        rich_help_panel="Inputs",
        autocompletion=one_of(PROMPTS),
    ),
]
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
        autocompletion=one_of(("html", "png", "html,png")),
        rich_help_panel=OUTPUT_PANEL,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"Where tensors are computed: {DEVICES}.",
        rich_help_panel=OUTPUT_PANEL,
        autocompletion=one_of([name for name in DEVICES.split(", ") if name.islower()]),
    ),
]
DtypeOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help=f"Format of weights and activations: {' or '.join(DTYPES)}.",
        rich_help_panel=OUTPUT_PANEL,
        autocompletion=one_of(DTYPES),
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        help="CPU threads, from 1 to the machine's cores; left out: all of them.",
        rich_help_panel=OUTPUT_PANEL,
    ),
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
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the run that the folder holds, if it holds one.",
        rich_help_panel=OUTPUT_PANEL,
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


def request_of(
    output: "Output",
    out: Path | None,
    formats: "Formats | None" = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> "Request":
    """What these options ask for."""
    from mitool.actions.request import Request

    return Request(
        command=output.command,
        again=command_line(),
        formats=formats,
        console=output.progress,
        out=out,
        resume=resume,
        overwrite=overwrite,
        started=output.started,
    )


def command_line() -> str:
    """What was typed, for the report to say how to have the same again."""
    return shlex.join(["mitool", *sys.argv[1:]])
