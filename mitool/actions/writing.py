"""A result into its folder: its record, documents, arrays and report."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mitool.actions.request import Done, R, Request
from mitool.console.terminal import note
from mitool.core.errors import Interrupted
from mitool.core.memory import out_of_memory_is_an_error
from mitool.core.result import Result, json_value
from mitool.report import BrowserError, Report
from mitool.storage import atomic, checkpoint, layout, locking


@contextlib.contextmanager
def claimed(folder: Path, request: Request, remedy: str) -> Iterator[None]:
    """Keep the folder for an analysis, and take it away again if nothing comes of it.

    Args:
        remedy: what to do should memory run out.
    """
    claim = locking.claimed(folder, overwrite=request.overwrite, clear=False)
    with claim, out_of_memory_is_an_error(remedy):
        yield


def write_analysis(request: Request, folder: Path, result: R, report: Report) -> Done[R]:
    """Write the result of an analysis into a folder that is claimed for it, whole or not at all,
    in the place of an earlier one.

    Raises:
        RunError: a file cannot be written.
    """
    assert request.formats is not None
    kept = "the result is not kept; run the same command again"
    with _interrupted(kept), locking.replaced(folder, kept=BrowserError) as place:
        # before the images, without which it is a result all the same
        unfinished = request.envelope(result, [], result.warnings, report)
        atomic.write_json(place / layout.RESULT, unfinished)
        made = [*_write_documents(place, result), _write_arrays(place, result)]
        note(request.console, f"writing {folder / layout.REPORT}")
        written = request.formats.write(place, report)
        artifacts = [folder / path.relative_to(place) for path in (*made, *written.artifacts)]
        warnings = [*result.warnings, *written.warnings]
        envelope = request.envelope(result, artifacts, warnings, report)
        atomic.write_json(place / layout.RESULT, envelope)
    return Done(result, folder, envelope)


@contextlib.contextmanager
def _interrupted(how_to_go_on: str) -> Iterator[None]:
    """Have an interruption say what is kept, and how to go on."""
    try:
        yield
    except Interrupted as error:
        message = f"{error} while writing the report: {how_to_go_on}"
        raise Interrupted(message, error.signum) from None


def write_training(request: Request, folder: Path, result: R, report: Report) -> Done[R]:
    """Write the result of a training beside its checkpoint, with its arrays if it has any.

    Raises:
        RunError: a file cannot be written.
    """
    artifacts = [folder / layout.CHECKPOINT] if (folder / layout.CHECKPOINT).exists() else []
    if result.arrays():
        artifacts.append(_write_arrays(folder, result))
    return write_report(request, folder, result, report, artifacts)


def write_report(
    request: Request, folder: Path, result: R, report: Report, artifacts: Sequence[Path]
) -> Done[R]:
    """Write the report, and the record of all that was written.

    Args:
        artifacts: what was written before.
    """
    assert request.formats is not None
    note(request.console, f"writing {folder / layout.REPORT}")
    kept = f"everything else is in {folder}; run the same command with --resume to write it"
    with _interrupted(kept):
        written = request.formats.write(folder, report)
        made = [*artifacts, *written.artifacts]
        envelope = request.envelope(result, made, [*result.warnings, *written.warnings], report)
        atomic.write_json(folder / layout.RESULT, envelope)
    return Done(result, folder, envelope)


def _write_documents(folder: Path, result: Result) -> list[Path]:
    for name, document in result.documents().items():
        atomic.write_json(folder / name, json_value(document))
    return [folder / name for name in result.documents()]


def _write_arrays(folder: Path, result: Result) -> Path:
    path = folder / result.arrays_name
    record = {"kind": "arrays", "subject": dict(result.subject), "config": dict(result.config)}
    checkpoint.write_tensors(path, result.arrays(), record)
    return path
