"""What every analysis does with its result: a folder beside the checkpoint, and what goes in."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitool import checkpoint, rundir
from mitool.cli.common import parse_formats
from mitool.cli.output import Output
from mitool.report import Report, require_browser, write_report
from mitool.result import Result

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Destination:
    """Where an analysis writes to, as asked for on the command line."""

    folder: Path
    overwrite: bool
    formats: frozenset[str]
    formats_explicit: bool

    @classmethod
    def of(
        cls, path: Path, name: str, out: Path | None, overwrite: bool, report_format: str | None
    ) -> "Destination":
        """The destination of the analysis ``name`` of the checkpoint or run at ``path``.

        Raises:
            InputError: there is no checkpoint.
            UsageError: the format is unknown.
            BrowserError: images were asked for, and nothing is there to draw them.
        """
        formats, explicit = parse_formats(report_format)
        if explicit and "png" in formats:
            require_browser()  # rather than fail after the analysis
        return cls(out or folder_beside(checkpoint.find(path), name), overwrite, formats, explicit)


def folder_beside(path: Path, name: str) -> Path:
    """The folder of an analysis: ``RUN/NAME`` of a run's last checkpoint, ``RUN/NAME-STEP`` of
    one of its trajectory, ``FILE-NAME`` beside a lone file.
    """
    if path.name == rundir.CHECKPOINT:
        return path.parent / name
    if path.absolute().parent.name == rundir.TRAJECTORY:
        return path.absolute().parent.parent / f"{name}-{path.stem}"
    return path.parent / f"{path.stem}-{name}"


def command_line() -> str:
    """What was typed."""
    return shlex.join(["mitool", *sys.argv[1:]])


def write_analysis(
    output: Output,
    destination: Destination,
    result: Result,
    report: Report,
    *,
    arrays: Mapping[str, "Tensor"],
    documents: Mapping[str, Mapping[str, Any]] | None = None,
    conclusion: str | None = None,
) -> None:
    """Write a result's arrays, documents and report, and print it.

    Args:
        documents: JSON documents by file name.
        conclusion: the last line that a reader sees.

    Raises:
        RunError: a file cannot be written.
        CheckFailed: a check on the claims is not met.
    """
    folder, artifacts = destination.folder, list[Path]()
    if destination.overwrite:
        rundir.remove_run(folder)  # not before there is something to put in its place
    # first, so that the folder is known as mitool's should the process be killed meanwhile
    rundir.write_json(folder / rundir.RESULT, output.envelope(result, [], result.warnings))
    for name, document in (documents or {}).items():
        rundir.write_json(folder / name, document)
        artifacts.append(folder / name)
    record = {"subject": dict(result.subject), "config": dict(result.config)}
    checkpoint.write_tensors(folder / rundir.ARRAYS, arrays, {"kind": "arrays", **record})
    artifacts.append(folder / rundir.ARRAYS)
    output.note(f"writing {folder / rundir.REPORT}")
    written = write_report(
        folder, report, destination.formats, explicit=destination.formats_explicit
    )
    output.finish(
        result,
        folder=folder,
        artifacts=[*artifacts, *written.artifacts],
        warnings=written.warnings,
        conclusion=conclusion,
    )
