"""Options that several commands share, declared once."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitool.errors import UsageError

if TYPE_CHECKING:
    from mitool.report import Report, Written

OUTPUT_PANEL = "Output and device"
MOST_SEED = 2**63 - 1
"""The largest that torch takes."""

ModelArgument = Annotated[
    str,
    typer.Argument(
        help="A checkpoint, a run directory, or a Hugging Face model: its folder or name."
    ),
]
PairsOption = Annotated[
    Path | None,
    typer.Option(
        help="File of clean and corrupted texts: CSV of clean,corrupted and the answers, "
        "correct,incorrect as text, correct_idx,incorrect_idx as tokens or label (the year of a "
        "greater-than prompt), or the JSON of AutoCircuit.",
        rich_help_panel="Inputs",
    ),
]
GeneratedOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Make pairs for a pretrained model from its tokenizer: greater-than (Hanna et al. "
        "2023) or ioi (Wang et al. 2022).",
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


@dataclass(frozen=True)
class Formats:
    """What a report is written as.

    Attributes:
        explicit: the formats were asked for by name.
    """

    names: frozenset[str]
    explicit: bool

    @classmethod
    def parse(cls, text: str | None) -> "Formats":
        """Read ``--format``, before there is work done for the report.

        Raises:
            UsageError: one of the formats is unknown.
            BrowserError: images are asked for, and nothing is there to draw them.
        """
        from mitool.report import FORMATS, require_browser

        if text is None:
            return cls(frozenset(FORMATS), False)
        names = frozenset(name.strip() for name in text.split(","))
        if unknown := sorted(names - set(FORMATS)):
            expected = ", ".join(FORMATS)
            raise UsageError(f"--format: expected some of {expected}, found {unknown[0]!r}")
        if "png" in names:
            require_browser()
        return cls(names, True)

    def write(self, folder: Path, report: "Report") -> "Written":
        """Write the report in these formats."""
        from mitool.report import write_report

        return write_report(folder, report, self.names, explicit=self.explicit)


def command_line() -> str:
    """What was typed, for the report to say how to have the same again."""
    return shlex.join(["mitool", *sys.argv[1:]])
