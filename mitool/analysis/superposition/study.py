"""Train the models of an experiment, or take those of a checkpoint, and study them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mitool.analysis.restudied import restudied
from mitool.analysis.superposition.experiments import Experiment, Families, Studied, experiment
from mitool.analysis.superposition.experiments.base import prefixed, tied_claims
from mitool.analysis.superposition.result import SuperpositionResult
from mitool.core.config import build
from mitool.core.device import HOST
from mitool.core.errors import InputError, UsageError, about
from mitool.core.result import Claim
from mitool.models.superposition import AutoencoderConfig, Autoencoders
from mitool.models.weights import widened
from mitool.storage import checkpoint, layout
from mitool.storage.checkpoint import SUPERPOSITION, Metadata
from mitool.storage.tensor_groups import families_of
from mitool.training.learner import Observer
from mitool.training.memory import require_free
from mitool.training.run import history_of
from mitool.training.sessions import moves
from mitool.training.superposition import (
    REMEDY,
    SuperpositionConfig,
    SuperpositionEvaluation,
    best_of_restarts,
    held_out_losses,
    train_families,
)

LEAST, MOST, FEATURES = 2**14, 2**20, 2**24
"""Held-out examples that the losses are measured on, and the most features in all of them."""

COLLISIONS = 64
"""Examples in which two given features meet, which is what models differ by where they are rare."""


def superpose(
    config: SuperpositionConfig,
    folder: Path,
    *,
    observers: Sequence[Observer[SuperpositionEvaluation]] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> SuperpositionResult:
    """Train the models of an experiment in ``folder``, and study them.

    Args:
        observers: told of each evaluation.
        resume: go on with the run that the folder holds, if it holds one; the weights will be
            those of the uninterrupted run, bit for bit.
        overwrite: replace the run that the folder holds.

    Raises:
        UsageError: the settings do not fit together, or the folder cannot be used.
        InputError: the run to resume is damaged.
        RunError: a loss diverged, or memory or disk ran out.
        Interrupted: SIGINT or SIGTERM arrived; the state is saved.
    """
    chosen, families = experiment(config.experiment), _untrained(config)
    history = train_families(
        config, families, folder, observers=observers, resume=resume, overwrite=overwrite
    )
    families = {name: models.to(HOST) for name, models in families.items()}
    subject = {
        "task": config.as_dict()["task"],
        "run": str(folder),
        "checkpoint": str(folder / layout.CHECKPOINT),
    }
    result = _studied(chosen, families, config.seed, folder, history)
    warnings = (*moves(folder), *result.warnings)
    return replace(result, subject=subject, config=config.as_dict(), warnings=warnings)


def claim_names(config: SuperpositionConfig) -> list[str]:
    """What the claims of an experiment will be called.

    Raises:
        UsageError: the settings do not fit together, or the experiment.
        RunError: there is not enough memory.
    """
    return list(_claims(experiment(config.experiment), _first_of(_untrained(config))))


def restudy(path: Path, name: str) -> SuperpositionResult:
    """Study the models of a checkpoint, or of a run, by the experiment ``name``.

    Raises:
        UsageError: there is no such experiment.
        InputError: the checkpoint cannot be read, or its models are not such as it studies.
    """
    path, chosen = checkpoint.find(path), experiment(name)
    families, metadata, notes = load_families(path)
    history = history_of(path, SuperpositionEvaluation, metadata.step)
    with about(path):
        result = _studied(chosen, families, metadata.seed, path.parent, history)
    return restudied(result, {"experiment": name}, path, metadata, notes)


def load_families(path: Path) -> tuple[dict[str, Autoencoders], Metadata, tuple[str, ...]]:
    """The models of a checkpoint by the name of their family, what it says of itself, and what a
    user is to know of how it was read: weights in half precision are read in float32.

    Raises:
        InputError: it is damaged, or of another kind.
    """
    tensors, metadata = checkpoint.load(path)
    tensors, notes = widened(tensors)
    with about(path):
        if metadata.kind != SUPERPOSITION:
            raise InputError(
                f"expected models of superposition, which mitool superpose trains, found a "
                f"{metadata.kind}"
            )
        shapes = metadata.model.get("families")
        if (
            not isinstance(shapes, dict)
            or not shapes
            or not all(isinstance(shape, dict) for shape in shapes.values())
        ):
            raise InputError("damaged: it says nothing of its models' shapes")
        by_family = families_of(tensors, list(shapes))
        families = {}
        for name, shape in shapes.items():
            cfg = build(AutoencoderConfig, shape, InputError)
            families[name] = Autoencoders.from_tensors(cfg, by_family[name])
            families[name].require_sound()
        return families, metadata, notes


def _studied(
    chosen: Experiment,
    families: Mapping[str, Autoencoders],
    seed: int,
    folder: Path,
    history: tuple[SuperpositionEvaluation, ...],
) -> SuperpositionResult:
    studied = {name: _best(models, name, seed) for name, models in families.items()}
    chosen.require(studied)
    claims = _claims(chosen, studied)
    return SuperpositionResult(
        {},
        {},
        claims,
        experiment=chosen,
        folder=folder,
        families=studied,
        history=history,
        warnings=warnings_of(claims),
    )


def warnings_of(claims: Mapping[str, Claim]) -> tuple[str, ...]:
    """Why claims, or values of them, are undefined."""
    undefined = [
        name
        for name, value in claims.items()
        if value is None or (isinstance(value, list) and None in value)
    ]
    if not undefined:
        return ()
    return (
        "undefined where a model represents no feature, or too few to compare: "
        f"{', '.join(undefined)}",
    )


def _claims(chosen: Experiment, studied: Families) -> dict[str, Claim]:
    claims: dict[str, Claim] = {}
    for name, family in studied.items():
        claims[prefixed(name, "sparsity")] = family.models.sparsity
        claims[prefixed(name, "loss")] = list(family.losses)
        if family.models.cfg.is_tied:
            claims |= tied_claims(name, family)
    return claims | dict(chosen.claims(studied))


def _untrained(config: SuperpositionConfig) -> dict[str, Autoencoders]:
    """The models of an experiment, which fit into memory and can be studied by it."""
    chosen = experiment(config.experiment)
    plans = chosen.plans(config.settings)
    needed = sum(plan.n_bytes(config.settings.batch_size) for plan in plans.values())
    require_free(needed, config.device, REMEDY)
    families = {name: plan.build(config.seed, name, config.device) for name, plan in plans.items()}
    try:
        chosen.require(_first_of(families))
    except InputError as failure:
        raise UsageError(str(failure)) from None
    return families


def _first_of(families: Mapping[str, Autoencoders]) -> dict[str, Studied]:
    """The first of each model's restarts as it is, on the CPU, with losses that mean nothing."""
    first = {name: models[:: models.cfg.restarts].to(HOST) for name, models in families.items()}
    return {name: Studied(models, (0.0,) * len(models)) for name, models in first.items()}


def _best(models: Autoencoders, name: str, seed: int) -> Studied:
    losses = held_out_losses(models, name, seed, partial(_n_examples, models.cfg.n_features))
    if not losses.isfinite().all():
        raise InputError(f"{name or 'models'}: expected finite losses, found infinite ones")
    best = best_of_restarts(losses, models.cfg.restarts)
    return Studied(models[best], tuple(losses[best].tolist()))


def _n_examples(n_features: int, density: float) -> int:
    wanted = max(LEAST, round(COLLISIONS / max(density, 1e-6) ** 2))
    return max(1, min(wanted, MOST, FEATURES // n_features))
