"""Whether the run that a checkpoint is of has ended, or is studied on its way."""

from pathlib import Path

from mitool.core.errors import InputError
from mitool.storage import atomic, layout
from mitool.storage.checkpoint import Metadata

CLAIM = "run_ended"
"""The claim of a study that says so."""


def has_ended(path: Path, metadata: Metadata) -> bool | None:
    """Whether the run whose last checkpoint this is has ended: with the last of its epochs, or
    before, where it has a result of that epoch. None where the checkpoint is not a run's last one.

    Args:
        path: of the checkpoint.
        metadata: what it says of itself.
    """
    planned = _planned(metadata)
    if planned is None or path.name != layout.CHECKPOINT:
        return None
    if not (path.parent / layout.CONFIG).is_file():
        return None
    return metadata.epoch >= planned or _result_is_of(path.parent, metadata.epoch)


def claimed(ended: bool | None) -> dict[str, bool]:
    """What is claimed of the run that a checkpoint is of, if it is the last of one."""
    return {} if ended is None else {CLAIM: ended}


def doubts(path: Path, metadata: Metadata) -> tuple[str, ...]:
    """What a reader must know of a study of that checkpoint; nothing where its run has ended."""
    if has_ended(path, metadata) is not False:
        return ()
    unit = "epoch" if "epochs" in metadata.training else "step"
    return (
        f"the run is at {unit} {metadata.epoch:,} of {_planned(metadata):,}: it is still training, "
        "or was interrupted, and what is found is of the model on its way",
    )


def _planned(metadata: Metadata) -> int | None:
    """The epochs, or steps, that the run is to have."""
    training = metadata.training
    found = training.get("epochs", training.get("steps"))
    if found is None and isinstance(log2 := training.get("log2_training_steps"), int):
        found = 2**log2
    return found if isinstance(found, int) else None


def _result_is_of(folder: Path, epoch: int) -> bool:
    """Whether the run has a result of that epoch, as one that its own settings stopped has."""
    try:
        claims = atomic.read_json(folder / layout.RESULT).get("claims")
    except InputError:
        return False
    return isinstance(claims, dict) and claims.get("epochs") == epoch
