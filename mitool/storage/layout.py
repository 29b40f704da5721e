"""The run directory: the names of its files, and which of them are mitool's.

Every file is written whole or not at all; ``metrics.jsonl`` alone grows line by line.
"""

import contextlib
from pathlib import Path, PurePath

from mitool.core.errors import InputError, UsageError
from mitool.core.result import Result
from mitool.storage import atomic

RUNS = Path("runs")
"""Where runs go, and analyses of what has no folder of its own."""

CHECKPOINT = "ckpt.safetensors"
TRAJECTORY = "checkpoints"
RESUME = "resume.safetensors"
METRICS = "metrics.jsonl"
CONFIG = "config.json"
RESULT = "result.json"
REPORT = "report.html"
INDEX = "index.html"
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

GENERATOR = '<meta name="generator" content="mitool '
"""What a page of mitool's has in its head, by which an index is known; with the version behind."""

HEAD = 2000
"""Letters of a page in which that stands."""

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


def folder_of_pretrained(name: str, analysis: str) -> Path:
    """The folder of an analysis of a pretrained model, by its folder or its name on the Hub."""
    return RUNS / f"{Path(name).resolve().name}-{analysis}"


def remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but the lock, and empty folders of a run's."""
    for name in OWN_FOLDERS:
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {LOCK}:
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()


def remove_run(folder: Path) -> None:
    """Remove what mitool wrote into a folder that is claimed, and nothing else.

    Raises:
        UsageError: a file cannot be removed.
    """
    kinds = {name: kind for name, kind in OWN_FOLDERS.items() if name != FIGURES}
    own = [path for name, kind in kinds.items() for path in (folder / name).glob(kind)]
    try:
        index = [folder / INDEX] if holds_index(folder) else []
        for path in (*own, *_own_images(folder), *index, *(folder / name for name in OWN_FILES)):
            path.unlink(missing_ok=True)
    except OSError as failure:
        raise UsageError(atomic.cannot_write(path, failure)) from None


def holds_index(folder: Path) -> bool:
    """Whether the folder has an index of reports that mitool wrote, and nobody else's page."""
    try:
        with (folder / INDEX).open(encoding="utf-8", errors="replace") as file:
            return GENERATOR in file.read(HEAD)
    except OSError:
        return False


def _own_images(folder: Path) -> list[Path]:
    """The images that the folder's result says it has; others beside them are somebody's."""
    artifacts: object = None
    with contextlib.suppress(InputError):
        artifacts = atomic.read_json(folder / RESULT).get("artifacts")
    listed = artifacts if isinstance(artifacts, list) else []
    names = {PurePath(name).name for name in listed if isinstance(name, str)}
    return [path for path in (folder / FIGURES).glob(OWN_FOLDERS[FIGURES]) if path.name in names]
