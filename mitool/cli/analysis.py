"""What every analysis does with its result: a folder beside the checkpoint, and what goes in."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from mitool import checkpoint, files, rundir
from mitool.cli.common import Formats
from mitool.cli.output import Output
from mitool.device import out_of_memory_is_an_error
from mitool.errors import Interrupted
from mitool.report import Report
from mitool.result import Result


@dataclass(frozen=True)
class Destination:
    """Where an analysis writes to, and what."""

    folder: Path
    overwrite: bool
    formats: Formats

    @contextlib.contextmanager
    def claimed(self, remedy: str) -> Iterator[None]:
        """Keep the folder for this analysis, and take it away again if nothing comes of it.

        Args:
            remedy: what to do should memory run out.
        """
        claim = rundir.claimed(self.folder, overwrite=self.overwrite, clear=False)
        with claim, out_of_memory_is_an_error(remedy):
            yield


def write_analysis(
    output: Output,
    destination: Destination,
    result: Result,
    report: Report,
    tables: Sequence[Table | str] = (),
) -> None:
    """Write a result's arrays, documents and report, and print it.

    Args:
        tables: printed for a reader instead of the claims; lines of text too.

    Raises:
        RunError: a file cannot be written.
        CheckFailed: a check on the claims is not met.
    """
    folder, artifacts = destination.folder, list[Path]()
    if destination.overwrite:
        rundir.remove_run(folder)  # not before there is something to put in its place
    # first, so that the folder is known as mitool's should the process be killed meanwhile
    files.write_json(folder / rundir.RESULT, output.envelope(result, [], result.warnings))
    for name, document in result.documents().items():
        files.write_json(folder / name, document)
        artifacts.append(folder / name)
    record = {"kind": "arrays", "subject": dict(result.subject), "config": dict(result.config)}
    checkpoint.write_tensors(folder / result.arrays_name, result.arrays(), record)
    output.note(f"writing {folder / rundir.REPORT}")
    try:
        written = destination.formats.write(folder, report)
    except Interrupted:
        rundir.remove_run(folder)  # a part of a result is not to pass for one
        raise
    output.finish(
        result,
        folder=folder,
        artifacts=[*artifacts, folder / result.arrays_name, *written.artifacts],
        warnings=written.warnings,
        tables=tables,
    )
