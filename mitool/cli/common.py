"""Options that several commands share, declared once."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitool.cli.completion import complete_runs, one_of
from mitool.settings.seeds import MOST_SEED

if TYPE_CHECKING:
    from mitool.actions.request import Request
    from mitool.cli.output import Output
    from mitool.report import Formats
    from mitool.tasks import Task

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
        "2023) or ioi (Wang et al. 2022). Of a checkpoint: the file of its task, as "
        "./mytask.py:MyTask, where that is not installed.",
        rich_help_panel="Inputs",
        autocompletion=one_of(PROMPTS),
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The file of the task that a checkpoint was trained on, as ./mytask.py:MyTask, where "
        "that is not installed; it is run.",
        rich_help_panel="Inputs",
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
        help="CPU threads at most, from 1 to the machine's cores; left out: all of them, or one "
        "for a training whose steps are small.",
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


def task_named(text: str | None) -> "type[Task] | None":
    """The task that an option names, installed or of a file, which is run.

    Raises:
        MitoolError: there is none, or it cannot be used.
    """
    if text is None:
        return None
    from mitool import tasks

    return tasks.get(text)


def task_or_prompts(text: str | None) -> "tuple[type[Task] | None, str | None]":
    """The task of a file that ``--task`` names, or else the prompts that are to be made.

    Raises:
        MitoolError: the file cannot be used.
    """
    from mitool import tasks

    if text is not None and tasks.is_reference(text):
        return tasks.get(text), None
    return None, text


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


_typed: ContextVar[Sequence[str] | None] = ContextVar("typed", default=None)


@contextlib.contextmanager
def typed_as(arguments: Sequence[str]) -> Iterator[None]:
    """Have a command that is run within another one say that this was typed."""
    token = _typed.set(tuple(arguments))
    try:
        yield
    finally:
        _typed.reset(token)


def command_line() -> str:
    """What was typed, for the report to say how to have the same again."""
    return shlex.join(["mitool", *(_typed.get() or sys.argv[1:])])
