"""What a study of models that a checkpoint holds, several together, says of that checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mitool.core.result import Result
from mitool.storage import checkpoint, layout, underway
from mitool.storage.checkpoint import Metadata
from mitool.training.sessions import moves

R = TypeVar("R", bound=Result)


def restudied(
    result: R, config: Mapping[str, Any], path: Path, metadata: Metadata, notes: Sequence[str]
) -> R:
    """A result that names the checkpoint at ``path``, claims whether its run has ended, and warns
    of what is to be known of the run, after the ``notes`` on how the file was read.
    """
    subject = {
        "task": metadata.task.described(),
        "checkpoint": str(path),
        "step": metadata.step,
        "digest": checkpoint.record_of(path)["digest"],
    }
    claims = {**result.claims, **underway.claimed(underway.has_ended(path, metadata))}
    told = (*notes, *moves(layout.run_of(path)), *underway.doubts(path, metadata))
    warnings = (*told, *result.warnings)
    return replace(result, subject=subject, config=config, claims=claims, warnings=warnings)
