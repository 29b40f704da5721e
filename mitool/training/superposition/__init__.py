"""Training of toy models of superposition, many side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mitool.core.memory import out_of_memory_is_an_error
from mitool.models.superposition import Autoencoders
from mitool.training.learner import Observer
from mitool.training.run import Run
from mitool.training.superposition.config import SuperpositionConfig, run_name
from mitool.training.superposition.evaluation import (
    SuperpositionEvaluation,
    best_of_restarts,
    held_out_losses,
)
from mitool.training.superposition.learner import SuperpositionLearner

__all__ = [
    "REMEDY",
    "SuperpositionConfig",
    "SuperpositionEvaluation",
    "best_of_restarts",
    "held_out_losses",
    "run_name",
    "train_families",
]

REMEDY = "take fewer or smaller models, or fewer examples a step with --batch-size"


def train_families(
    config: SuperpositionConfig,
    families: Mapping[str, Autoencoders],
    folder: Path,
    *,
    observers: Sequence[Observer[SuperpositionEvaluation]] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> tuple[SuperpositionEvaluation, ...]:
    """Train models in place, or go on with the run in ``folder``; see ``mitool.training.train``.

    Returns:
        The run's evaluations.

    Raises:
        UsageError: the folder cannot be used.
        InputError: the run to resume is damaged.
        RunError: a loss diverged, or memory or disk ran out.
        Interrupted: SIGINT or SIGTERM arrived; the state is saved.
    """
    with config.device.active(), out_of_memory_is_an_error(REMEDY):
        run = Run(SuperpositionLearner(config, families), folder, observers)
        run.complete(resume=resume, overwrite=overwrite)
    return tuple(run.history)
