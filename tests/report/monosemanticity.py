"""Models whose neurons are set by hand, and what is found in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mitool.analysis.monosemanticity import MonosemanticityResult, StudiedModel
from mitool.models.monosemanticity import FeatureMLP
from mitool.report import Figure, monosemanticity_figures
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.training.monosemanticity import MonosemanticityEvaluation, model_config, run_label


def own_neurons() -> Tensor:
    """Weights into five neurons of three features: all, none, feature 2, feature 0, two."""
    return torch.tensor(
        [
            [0.5, 0.0, 0.0, 2.0, 0.8],
            [0.5, 0.0, 0.0, 0.0, 0.2],
            [0.5, 0.0, 1.0, 0.0, 0.0],
        ]
    )


def model(W_in: Tensor, **settings: Any) -> tuple[MonosemanticitySettings, FeatureMLP]:
    """A model that each feature is a dimension of, so that ``W_in`` is what neurons do."""
    n, k = W_in.shape
    s = MonosemanticitySettings(**{"N": n, "m": n, "k": k, **settings})
    found = FeatureMLP(model_config(s))
    with torch.no_grad():
        found.W_E.copy_(torch.eye(n))
        found.W_in.copy_(W_in)
    return s, found


def lone(W_in: Tensor, **settings: Any) -> MonosemanticityResult:
    s, found = model(W_in, **settings)
    return result_of({"": StudiedModel({}, s, found, 0.5)})


def sweep(
    points: Sequence[Mapping[str, Any]],
    weights: Sequence[Tensor] | None = None,
    losses: Sequence[float | None] | None = None,
    **other: Any,
) -> MonosemanticityResult:
    """A model for each point."""
    models = {}
    for index, point in enumerate(points):
        W_in = own_neurons() if weights is None else weights[index]
        s, found = model(W_in, **point)
        loss = 0.1 * (index + 1) if losses is None else losses[index]
        models[run_label(point)] = StudiedModel(point, s, found, loss)
    return result_of(models, **other)


def result_of(models: Mapping[str, StudiedModel], **other: Any) -> MonosemanticityResult:
    losses = [studied.loss for studied in models.values()]
    history = tuple(
        MonosemanticityEvaluation(
            epoch=step,
            step=step,
            loss=[None if loss is None and step > 1 else 8.0 / (step + 1) for loss in losses],
            monosemantic_neurons=[None if loss is None and step > 1 else step for loss in losses],
            mean_bias=[None if loss is None and step > 1 else -0.1 * step for loss in losses],
            seconds=1.0,
        )
        for step in (0, 1, 2, 4)
    )
    swept = next(iter(models.values())).point
    claims = {
        **{axis: [m.point[axis] for m in models.values()] for axis in swept},
        "loss": losses,
        "monosemantic_neurons": [
            None if m.loss is None else m.monosemantic_neurons for m in models.values()
        ],
    }
    known = {"preset": None, "scale": "published", "history": history, **other}
    return MonosemanticityResult({}, {}, claims, models=models, **known)


def drawn(result: MonosemanticityResult) -> dict[str, Figure]:
    figures = monosemanticity_figures(result)
    for figure in figures:
        assert figure.caption.endswith(".")
    return {figure.name: figure for figure in figures}
