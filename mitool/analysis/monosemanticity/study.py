"""Train the models of a sweep, or take those of a checkpoint, and study their neurons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeGuard

from mitool.analysis.monosemanticity.result import MonosemanticityResult, StudiedModel, TrainedModel
from mitool.analysis.restudied import restudied
from mitool.core.config import build
from mitool.core.device import HOST
from mitool.core.errors import InputError, about
from mitool.core.result import Claim
from mitool.models.monosemanticity import FeatureMLP
from mitool.models.weights import widened
from mitool.settings.monosemanticity import PRESETS, SCALES, MonosemanticitySettings
from mitool.storage import checkpoint, layout
from mitool.storage.checkpoint import MONOSEMANTICITY, Metadata
from mitool.storage.tensor_groups import families_of
from mitool.training.learner import Observer
from mitool.training.monosemanticity import (
    MonosemanticityConfig,
    MonosemanticityEvaluation,
    held_out_loss,
    model_config,
    train_sweep,
)
from mitool.training.run import history_of
from mitool.training.sessions import moves

HELD_OUT = 2**14
"""Examples that the losses are measured on."""

CLAIMS = (
    "loss",
    "monosemantic_neurons",
    "monosemantic_per_feature",
    "monosemantic_per_neuron",
    "features_with_own_neuron",
    "mean_bias",
)
"""What is claimed of every model, beside the values of what is swept."""


def engineer_monosemanticity(
    config: MonosemanticityConfig,
    folder: Path,
    *,
    observers: Sequence[Observer[MonosemanticityEvaluation]] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> MonosemanticityResult:
    """Train the models of a sweep side by side in ``folder``, and study them.

    A model that diverges is reported, and the others go on.

    Args:
        observers: told of each evaluation.
        resume: go on with the run that the folder holds, if it holds one; the weights will be
            those of the uninterrupted run, bit for bit.
        overwrite: replace the run that the folder holds.

    Raises:
        UsageError: the folder cannot be used.
        InputError: the run to resume is damaged.
        RunError: all losses diverged, or memory or disk ran out.
        Interrupted: SIGINT or SIGTERM arrived; the state is saved.
    """
    trained, history = train_sweep(
        config, folder, observers=observers, resume=resume, overwrite=overwrite
    )
    models = {
        name: TrainedModel(point, settings, trained[name].to(HOST))
        for point, (name, settings) in zip(config.points(), config.runs().items(), strict=True)
    }
    record = config.as_dict()
    result = _studied(models, record["task"], config.seed, history)
    subject = {
        "task": record["task"],
        "run": str(folder),
        "checkpoint": str(folder / layout.CHECKPOINT),
    }
    warnings = (*moves(folder), *result.warnings)
    return replace(result, subject=subject, config=record, warnings=warnings)


def claim_names(config: MonosemanticityConfig) -> list[str]:
    """What the claims of a sweep will be called."""
    return [*config.axes, *CLAIMS]


def restudy_monosemanticity(path: Path) -> MonosemanticityResult:
    """Study the models of a checkpoint, or of a run.

    Raises:
        InputError: the checkpoint cannot be read, or is of another kind.
    """
    path = checkpoint.find(path)
    models, metadata, notes = load_models(path)
    seen = history_of(path, MonosemanticityEvaluation, metadata.step)
    task = metadata.task.described()
    result = _studied(models, task, metadata.seed, seen)
    shared = {name: value for name, value in metadata.model.items() if name != "models"}
    return restudied(result, {"model": shared}, path, metadata, notes)


def load_models(path: Path) -> tuple[dict[str, TrainedModel], Metadata, tuple[str, ...]]:
    """The models of a checkpoint by name, what it says of itself, and what a user is to know of how
    it was read: weights in half precision are read in float32.

    Raises:
        InputError: it is damaged, or of another kind.
    """
    tensors, metadata = checkpoint.load(path)
    tensors, notes = widened(tensors)
    with about(path):
        if metadata.kind != MONOSEMANTICITY:
            raise InputError(
                f"expected models that mitool superpose mono trains, found a {metadata.kind}"
            )
        points, stated = metadata.model.get("models"), metadata.model | metadata.training
        names = {field.name for field in fields(MonosemanticitySettings)}
        if not _are_points(points) or not names <= stated.keys():
            raise InputError("damaged: it does not say all of its models' settings")
        said = metadata.task.parameters
        has_scale = said.get("scale", "published") in tuple(SCALES)
        if said.get("preset") not in (None, *PRESETS) or not has_scale:
            raise InputError("damaged: it names a preset or a scale that there is not")
        shared = {name: stated[name] for name in names}
        by_model = families_of(tensors, list(points))
        models = {}
        for name, point in points.items():
            settings = build(MonosemanticitySettings, shared | point, InputError)
            model = FeatureMLP.from_tensors(model_config(settings), by_model[name])
            models[name] = TrainedModel(point, settings, model)
        return models, metadata, notes


def _are_points(points: object) -> TypeGuard[dict[str, dict[str, Any]]]:
    """Whether these are the values of the same axes, for at least one model."""
    if not isinstance(points, dict) or not all(isinstance(v, dict) for v in points.values()):
        return False
    return len({frozenset(point) for point in points.values()}) == 1


def _studied(
    models: Mapping[str, TrainedModel],
    task: Mapping[str, Any],
    seed: int,
    history: tuple[MonosemanticityEvaluation, ...],
) -> MonosemanticityResult:
    studied = {
        name: StudiedModel(m.point, m.settings, m.model, _loss(m.model, m.settings, seed))
        for name, m in models.items()
    }
    return MonosemanticityResult(
        {},
        {},
        _claims(studied),
        models=studied,
        history=history,
        preset=task["parameters"].get("preset"),
        scale=task["parameters"].get("scale", "published"),
        warnings=_warnings(studied),
    )


def _warnings(models: Mapping[str, StudiedModel]) -> tuple[str, ...]:
    diverged = [
        f"{name or 'the model'} has diverged: it has no loss, and its neurons mean nothing"
        for name, model in models.items()
        if model.loss is None
    ]
    kinds = {model.settings.activation for model in models.values()} - {"relu"}
    negative = [
        f"activations of {kind} can be negative, which the published measure of a neuron (its "
        "largest over their sum) is not made for: its share can be above 1, or below 0"
        for kind in sorted(kinds)
    ]
    return (*diverged, *negative)


def _loss(model: FeatureMLP, settings: MonosemanticitySettings, seed: int) -> float | None:
    loss = held_out_loss(model, settings, seed, HELD_OUT)
    return loss if math.isfinite(loss) else None


def _claims(models: Mapping[str, StudiedModel]) -> dict[str, Claim]:
    """A list each, with a value for each model; undefined is what a diverged model would have."""
    points = [model.point for model in models.values()]
    claims: dict[str, Any] = {name: [point[name] for point in points] for name in points[0]}
    found = [_measures(model) if model.loss is not None else {} for model in models.values()]
    return claims | {name: [measures.get(name) for measures in found] for name in CLAIMS}


def _measures(model: StudiedModel) -> dict[str, float]:
    count, s = model.monosemantic_neurons, model.settings
    assert model.loss is not None
    return {
        "loss": model.loss,
        "monosemantic_neurons": count,
        "monosemantic_per_feature": count / s.N,
        "monosemantic_per_neuron": count / s.k,
        "features_with_own_neuron": model.features_with_own_neuron,
        "mean_bias": model.model.b_in.double().mean().item(),
    }
