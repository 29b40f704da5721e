"""Who may write into a run directory: one process at a time, and a result as a whole."""

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from mitool.core.errors import InputError, RunError, UsageError
from mitool.core.signals import deferred_signals
from mitool.storage import atomic
from mitool.storage.layout import (
    INDEX,
    LOCK,
    OWN_FILES,
    OWN_FOLDERS,
    RECORDS,
    RESULT,
    holds_run,
    remove_empty,
    remove_run,
)

PART, WHOLE, MOVING = ".mitool-part", ".mitool-whole", ".mitool-moving"
"""The folder of a result that is being written, that is whole, and that moves into its place."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make an output folder and keep all other processes from writing into it; what is within may
    hold or claim it again. Folders that were made for it and stay empty are taken away.

    Raises:
        UsageError: the path is a file, cannot be written, or is in use.
    """
    made = _make(folder)
    lock = FileLock(folder.resolve() / LOCK, is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"{folder}: another run of mitool is writing here; wait for it, or choose another --out"
        ) from None
    except OSError as failure:
        raise UsageError(atomic.cannot_write(folder, failure)) from None
    try:
        yield
    finally:
        if made:
            remove_empty(folder)
        for parent in made[1:]:
            with contextlib.suppress(OSError):  # it is empty no more
                parent.rmdir()
        lock.release()


@contextlib.contextmanager
def claimed(
    folder: Path, *, overwrite: bool = False, resume: bool | None = None, clear: bool = True
) -> Iterator[Path]:
    """Make and lock an output folder for the time of a run or an analysis.

    Args:
        overwrite: remove the run that it holds, and nothing that mitool did not write.
        resume: keep the run that it holds; None where what it is for cannot be resumed.
        clear: remove what is to be overwritten at once; else ``remove_run`` does so later.

    Raises:
        UsageError: the path is a file, cannot be written, is in use, holds a run and neither
            ``overwrite`` nor ``resume`` says what to do with it, or holds files of the same
            names that mitool did not write.
    """
    if overwrite and resume:
        raise UsageError("--overwrite and --resume exclude each other: give one of them")
    with held(folder):
        _remove_leftovers(folder)
        try:
            _finish_replacing(folder)
        except OSError as failure:
            raise UsageError(atomic.cannot_write(folder, failure)) from None
        if holds_run(folder):
            _require_own(folder)
            if not (overwrite or resume):
                go_on = "" if resume is None else "go on with --resume, "
                raise UsageError(
                    f"{folder}: already holds a {'result' if resume is None else 'run'}; {go_on}"
                    "replace it with --overwrite, or choose another --out"
                )
            if overwrite and clear:
                remove_run(folder)
        yield folder


@contextlib.contextmanager
def replaced(folder: Path, *, kept: type[Exception] | tuple[()] = ()) -> Iterator[Path]:
    """A folder to write a result into, which takes the place of the one that a claimed folder
    holds once it is whole: of a result that fails on its way nothing is seen.

    Args:
        kept: what is raised once there is a result nevertheless.

    Raises:
        RunError: a file cannot be written.
    """
    part = folder / PART
    try:
        try:
            part.mkdir()
            yield part
        except kept:
            _replace(folder)
            raise
        _replace(folder)
    except OSError as failure:
        raise RunError(atomic.cannot_write(folder, failure)) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace(folder: Path) -> None:
    with deferred_signals():
        (folder / PART).rename(folder / WHOLE)
        _finish_replacing(folder)


def _finish_replacing(folder: Path) -> None:
    """Put a result that is whole in its place, or do what a killed process left of that to do.

    Its record comes last: without one, nothing passes for a result.
    """
    whole, moving = folder / WHOLE, folder / MOVING
    if whole.is_dir():
        remove_run(folder)
        whole.rename(moving)
    if moving.is_dir():
        paths = [path for path in moving.rglob("*") if path.is_file()]
        for path in sorted(paths, key=lambda path: path.name == RESULT):
            place = folder / path.relative_to(moving)
            place.parent.mkdir(exist_ok=True)
            path.replace(place)
        shutil.rmtree(moving)


def wait_until_free(folder: Path, seconds: float) -> None:
    """Wait for whoever has claimed the folder to let go of it, for so many seconds at most."""
    if (folder / LOCK).exists():
        lock = FileLock(folder / LOCK)
        with contextlib.suppress(Timeout, OSError):
            lock.acquire(timeout=seconds)
        lock.release()


def _make(folder: Path) -> list[Path]:
    """Make the folder; returns those that were not there before, the folder itself first."""
    atomic.require_writable(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(atomic.cannot_write(folder, failure)) from None
    return made


def _require_own(folder: Path) -> None:
    """Check that the run's or result's record is there, and mitool's."""
    for name, keys in RECORDS:
        with contextlib.suppress(InputError):
            if keys <= atomic.read_json(folder / name).keys():
                return
    raise UsageError(
        f"{folder}: holds files with the names of a run's that are no run of mitool's; "
        "choose another --out"
    )


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of runs that were killed."""
    shutil.rmtree(folder / PART, ignore_errors=True)
    own = (folder.glob(f".{name}.*.tmp") for name in (*OWN_FILES, INDEX))
    within = ((folder / name).glob(".*.tmp") for name in OWN_FOLDERS)
    for leftover in itertools.chain(*own, *within):
        with contextlib.suppress(OSError):
            leftover.unlink()
