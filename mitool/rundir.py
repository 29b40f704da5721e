"""The run directory: the names of its files, and who may write into it.

Every file is written whole or not at all; ``metrics.jsonl`` alone grows line by line.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from filelock import FileLock, Timeout

from mitool import files
from mitool.errors import InputError, UsageError
from mitool.result import Result

RUNS = Path("runs")
"""Where runs go, and analyses of what has no folder of its own."""

CHECKPOINT = "ckpt.safetensors"
TRAJECTORY = "checkpoints"
RESUME = "resume.safetensors"
METRICS = "metrics.jsonl"
CONFIG = "config.json"
RESULT = "result.json"
REPORT = "report.html"
FIGURES = "figures"
ARRAYS = Result.arrays_name
ALGORITHM = "algorithm.json"
PROGRESS = "progress.json"
EFFECTS = "effects.json"
CIRCUIT = "circuit.json"
CIRCUIT_ARRAYS = "circuit.safetensors"
TENSORBOARD = "tensorboard"
POINTS = "points"
LOGS = "logs"
TABLES = ("points.csv", "points.parquet", "metrics.csv", "metrics.parquet")
LOCK = ".lock"

OWN_FILES = (
    CONFIG,
    RESULT,
    REPORT,
    METRICS,
    CHECKPOINT,
    RESUME,
    ARRAYS,
    ALGORITHM,
    PROGRESS,
    EFFECTS,
    CIRCUIT,
    CIRCUIT_ARRAYS,
    *TABLES,
)
OWN_FOLDERS = {
    TRAJECTORY: "[0-9]*.safetensors",
    FIGURES: "*.[ps][nv]g",
    TENSORBOARD: "events.*",
    LOGS: "*.log",
}
RECORDS = (
    (CONFIG, {"task", "model", "training"}),
    (CONFIG, {"command", "axes", "points"}),
    (RESULT, {"mitool", "claims"}),
)
"""What the record of a run, of a sweep or of a result has in it, by which it is known."""


def holds_run(folder: Path) -> bool:
    """Whether the folder holds any file that a run or an analysis would write."""
    folders = any(any((folder / name).glob(kind)) for name, kind in OWN_FOLDERS.items())
    return folders or any((folder / name).exists() for name in OWN_FILES)


def folder_name(*parts: str) -> str:
    """A name of several parts, in letters that every file system takes."""
    return "".join(c if c.isalnum() or c in "-_.+" else "_" for c in "-".join(parts))


def run_of(path: Path) -> Path:
    """The folder of the run that a checkpoint is of, the last one or one of its trajectory."""
    folder = path.absolute().parent
    return folder.parent if folder.name == TRAJECTORY else path.parent


def folder_beside(path: Path, analysis: str) -> Path:
    """The folder of an analysis: ``RUN/NAME`` of a run's last checkpoint, ``RUN/NAME-STEP`` of
    one of its trajectory, ``FILE-NAME`` beside a lone file.
    """
    if path.name == CHECKPOINT:
        return path.parent / analysis
    if path.absolute().parent.name == TRAJECTORY:
        return run_of(path) / f"{analysis}-{path.stem}"
    return path.parent / f"{path.stem}-{analysis}"


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
    is_new = _make(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"{folder}: another run of mitool is writing here; wait for it, or choose another --out"
        ) from None
    except OSError as failure:
        raise UsageError(files.cannot_write(folder, failure)) from None
    try:
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
        _remove_leftovers(folder)
        yield folder
    finally:
        if is_new:
            remove_empty(folder)
        lock.release()


def wait_until_free(folder: Path, seconds: float) -> None:
    """Wait for whoever has claimed the folder to let go of it, for so many seconds at most."""
    if (folder / LOCK).exists():
        lock = FileLock(folder / LOCK)
        with contextlib.suppress(Timeout, OSError):
            lock.acquire(timeout=seconds)
        lock.release()


def remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but the lock, and empty folders of a run's."""
    for name in OWN_FOLDERS:
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {LOCK}:
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


def _make(folder: Path) -> bool:
    """Make the folder; returns whether it was not there before."""
    try:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not existing.is_dir():
            raise UsageError(f"{folder}: expected a folder to write to, found the file {existing}")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(files.cannot_write(folder, failure)) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: the folder cannot be written; choose another --out")
    return existing != folder


def _require_own(folder: Path) -> None:
    """Check that the run's or result's record is there, and mitool's."""
    for name, keys in RECORDS:
        with contextlib.suppress(InputError):
            if keys <= files.read_json(folder / name).keys():
                return
    raise UsageError(
        f"{folder}: holds files with the names of a run's that are no run of mitool's; "
        "choose another --out"
    )


def remove_run(folder: Path) -> None:
    """Remove what mitool wrote into a folder that is claimed, and nothing else.

    Raises:
        UsageError: a file cannot be removed.
    """
    kinds = {name: kind for name, kind in OWN_FOLDERS.items() if name != FIGURES}
    own = [path for name, kind in kinds.items() for path in (folder / name).glob(kind)]
    try:
        for path in (*own, *_own_images(folder), *(folder / name for name in OWN_FILES)):
            path.unlink(missing_ok=True)
    except OSError as failure:
        raise UsageError(files.cannot_write(path, failure)) from None


def _own_images(folder: Path) -> list[Path]:
    """The images that the folder's result says it has; others beside them are somebody's."""
    artifacts: object = None
    with contextlib.suppress(InputError):
        artifacts = files.read_json(folder / RESULT).get("artifacts")
    listed = artifacts if isinstance(artifacts, list) else []
    names = {PurePath(name).name for name in listed if isinstance(name, str)}
    return [path for path in (folder / FIGURES).glob(OWN_FOLDERS[FIGURES]) if path.name in names]


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of runs that were killed."""
    for name in (*OWN_FILES, *(f"{name}/" for name in OWN_FOLDERS)):
        path = folder / name
        pattern = ".*.tmp" if path.is_dir() else f".{path.name}.*.tmp"
        for leftover in (path if path.is_dir() else folder).glob(pattern):
            with contextlib.suppress(OSError):
                leftover.unlink()
