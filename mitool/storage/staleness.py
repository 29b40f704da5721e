"""Whether a result is of the checkpoint that is there now, or of one that has been replaced."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mitool.core.errors import InputError
from mitool.storage import checkpoint, layout
from mitool.storage.records import Record

MARKS = ("digest", "epoch", "step", "seed")
"""What tells one checkpoint from another, the surest first."""

GONE = "the checkpoint is not there any more, or damaged"


def outdated(record: Record, root: Path) -> str | None:
    """Why a result is out of date; None where nothing says so.

    Args:
        root: where to look for the checkpoint too, should its run have been moved.
    """
    if "run" in record.subject:
        return _outrun(record)
    studied = record.subject.get("checkpoint")
    if not isinstance(studied, str):
        return None
    now = next(_records(Path(studied), record.folder, root), None)
    if now is None:
        return GONE
    then = {mark: record.subject[mark] for mark in MARKS if mark in record.subject}
    mark = next(iter(then), None)
    if mark is None or then[mark] == now.get(mark):
        return None
    return f"the checkpoint has been replaced since{_change(record.epoch, now)}"


def _outrun(record: Record) -> str | None:
    """Of a training: whether it has gone on and has no result of that yet."""
    epochs = record.claims.get("epochs")
    now = _read(record.folder / layout.CHECKPOINT)
    if not isinstance(epochs, int):
        return None
    if now is None:
        return GONE
    if epochs == now.get("epoch"):
        return None
    return f"the run has gone on since{_change(epochs, now)}"


def _change(before: int | None, now: dict[str, Any]) -> str:
    after = now.get("epoch")
    if not isinstance(after, int) or before is None or before == after:
        return ""
    return f" (epoch {before:,} then, {after:,} now)"


def _records(studied: Path, folder: Path, root: Path) -> Iterator[dict[str, Any]]:
    """What the checkpoint says of itself: where it was, else in the nearest run around."""
    is_step = studied.parent.name == layout.TRAJECTORY
    own = Path(layout.TRAJECTORY, studied.name) if is_step else Path(studied.name)
    around = [parent / own for parent in (folder, *folder.parents) if parent.is_relative_to(root)]
    for path in (studied, *around):
        if (found := _read(path)) is not None:
            yield found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return checkpoint.record_of(path) if path.is_file() else None
    except (InputError, OSError):
        return None
