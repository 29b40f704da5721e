"""Training of MLPs on features in superposition, whose neurons are to become monosemantic."""

from collections.abc import Sequence
from pathlib import Path

from mitool.core.memory import out_of_memory_is_an_error
from mitool.models.monosemanticity import FeatureMLP
from mitool.training.learner import Observer
from mitool.training.monosemanticity.config import (
    MonosemanticityConfig,
    model_config,
    run_label,
    run_name,
)
from mitool.training.monosemanticity.evaluation import (
    MonosemanticityEvaluation,
    held_out_loss,
)
from mitool.training.monosemanticity.learner import REMEDY, MonosemanticityLearner
from mitool.training.run import Run

__all__ = [
    "MonosemanticityConfig",
    "MonosemanticityEvaluation",
    "held_out_loss",
    "model_config",
    "run_label",
    "run_name",
    "train_sweep",
]


def train_sweep(
    config: MonosemanticityConfig,
    folder: Path,
    *,
    observers: Sequence[Observer[MonosemanticityEvaluation]] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> tuple[dict[str, FeatureMLP], tuple[MonosemanticityEvaluation, ...]]:
    """Train the models of a sweep, or go on with the run in ``folder``; see ``mitool.training``.

    Returns:
        The models by their names, and the run's evaluations.

    Raises:
        UsageError: the folder cannot be used.
        InputError: the run to resume is damaged.
        RunError: all losses diverged, or memory or disk ran out.
        Interrupted: SIGINT or SIGTERM arrived; the state is saved.
    """
    with config.device.active(), out_of_memory_is_an_error(REMEDY):
        learner = MonosemanticityLearner(config)
        run = Run(learner, folder, observers)
        run.complete(resume=resume, overwrite=overwrite)
    models = {name: trainer.model for name, trainer in learner.trainers.items()}
    return models, tuple(run.history)
