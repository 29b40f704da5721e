"""Train the models of a sweep, or take those of a checkpoint, and study their neurons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitool import checkpoint, rundir
from mitool.analysis.monosemanticity.result import MonosemanticityResult, StudiedModel
from mitool.checkpoint import MONOSEMANTICITY, Metadata
from mitool.config import as_dict, build
from mitool.device import HOST
from mitool.errors import InputError, about
from mitool.models.monosemanticity import FeatureMLP
from mitool.result import Claim
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.training.learner import Observer
from mitool.training.monosemanticity import (
    MonosemanticityConfig,
    MonosemanticityEvaluation,
    held_out_loss,
    model_config,
    train_sweep,
)
from mitool.training.run import history_of

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

Models = Mapping[str, tuple[MonosemanticitySettings, FeatureMLP]]


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
    runs = config.runs()
    models = {name: (runs[name], model.to(HOST)) for name, model in trained.items()}
    record = config.as_dict()
    result = _studied(models, record["sweep"], record["task"], config.seed, history)
    subject = {
        "task": record["task"],
        "run": str(folder),
        "checkpoint": str(folder / rundir.CHECKPOINT),
    }
    return replace(result, subject=subject, config=record)


def claim_names(config: MonosemanticityConfig) -> list[str]:
    """What the claims of a sweep will be called."""
    return [*config.axes, *CLAIMS]


def restudy_monosemanticity(path: Path) -> MonosemanticityResult:
    """Study the models of a checkpoint, or of a run.

    Raises:
        InputError: the checkpoint cannot be read, or is of another kind.
    """
    path = checkpoint.find(path)
    models, metadata = load_models(path)
    seen = history_of(path, MonosemanticityEvaluation, metadata.step)
    with about(path):
        task = as_dict(metadata.task)
        sweep = metadata.model.get("sweep")
        result = _studied(models, sweep, task, metadata.seed, seen)
    subject = {"task": task, "checkpoint": str(path), "step": metadata.step}
    shared = {name: value for name, value in metadata.model.items() if name != "models"}
    return replace(result, subject=subject, config={"model": shared})


def load_models(path: Path) -> tuple[Models, Metadata]:
    """The models of a checkpoint with their settings, by name, and what it says of itself.

    Raises:
        InputError: it is damaged, or of another kind.
    """
    tensors, metadata = checkpoint.load(path)
    with about(path):
        if metadata.kind != MONOSEMANTICITY:
            raise InputError(
                f"expected models that mitool superpose mono trains, found a {metadata.kind}"
            )
        stated = metadata.model.get("models")
        if not isinstance(stated, dict) or not all(isinstance(v, dict) for v in stated.values()):
            raise InputError("damaged: it says nothing of its models' settings")
        by_model = checkpoint.families_of(tensors, list(stated))
        models = {}
        for name, values in stated.items():
            settings = build(MonosemanticitySettings, values, InputError)
            model = FeatureMLP.from_tensors(model_config(settings), by_model[name])
            models[name] = (settings, model)
        return models, metadata


def _studied(
    models: Models,
    sweep: object,
    task: Mapping[str, Any],
    seed: int,
    history: tuple[MonosemanticityEvaluation, ...],
) -> MonosemanticityResult:
    swept = [*sweep] if isinstance(sweep, dict) else []
    studied = {
        name: StudiedModel(
            {axis: getattr(settings, axis) for axis in swept if hasattr(settings, axis)},
            settings,
            model,
            _loss(model, settings, seed),
        )
        for name, (settings, model) in models.items()
    }
    return MonosemanticityResult(
        {},
        {},
        _claims(studied, swept),
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


def _claims(models: Mapping[str, StudiedModel], swept: Sequence[str]) -> dict[str, Claim]:
    """A list each, with a value for each model; undefined is what a diverged model would have."""
    claims: dict[str, Claim] = {name: [m.point[name] for m in models.values()] for name in swept}  # type: ignore[misc]
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
