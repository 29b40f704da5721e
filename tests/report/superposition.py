"""Models of superposition whose weights are set by hand, and their figures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mitool.analysis.superposition import EXPERIMENTS, SuperpositionResult
from mitool.analysis.superposition.experiments import Studied
from mitool.models.superposition import AutoencoderConfig, Autoencoders
from mitool.report import Figure, superposition_figures
from mitool.training.superposition import SuperpositionEvaluation

DENSITIES = (0.05, 1.0, 0.3)


def polygon(n: int, length: float = 1.0) -> Tensor:
    """Directions of the corners of a polygon in a plane."""
    turns = 2 * math.pi * torch.arange(n) / n
    return length * torch.stack([turns.cos(), turns.sin()])


def family(
    weights: Sequence[Tensor],
    densities: Sequence[float] | None = None,
    importance: Tensor | None = None,
    W_out: Tensor | None = None,
    **kind: Any,
) -> Studied:
    W = torch.stack([*weights])
    n, n_hidden, n_features = W.shape
    cfg = AutoencoderConfig(n_features=n_features, n_hidden=n_hidden, **kind)
    if importance is None:
        importance = 0.9 ** torch.arange(n_features) * torch.ones(n, 1)
    density = torch.tensor([*(densities or DENSITIES[:n])])
    b = torch.linspace(-1, 1, n_features).repeat(n, 1)
    models = Autoencoders(cfg, density, importance, W, b, W_out)
    return Studied(models, tuple(0.01 * (i + 1) for i in range(n)))


def studied(
    name: str, families: Mapping[str, Studied], *, n_evaluations: int = 3
) -> SuperpositionResult:
    history = [
        SuperpositionEvaluation(
            epoch=step,
            step=step,
            losses={
                key: [2.0 ** -(step + i) for i in range(len(of.models))]
                for key, of in families.items()
            },
            seconds=1.0,
        )
        for step in range(n_evaluations)
    ]
    EXPERIMENTS[name].require(families)
    return SuperpositionResult(
        {},
        {},
        EXPERIMENTS[name].claims(families),
        experiment=EXPERIMENTS[name],
        folder=Path("run"),
        families=families,
        history=tuple(history),
    )


def drawn(name: str, families: Mapping[str, Studied]) -> dict[str, Figure]:
    figures = superposition_figures(studied(name, families))
    for figure in figures:
        assert figure.caption.endswith(".")
    return {figure.name: figure for figure in figures}


def plane() -> Studied:
    """A pentagon, an orthogonal pair, and four features of which one is short."""
    pair = torch.zeros(2, 5)
    pair[:, :2] = torch.eye(2)
    four = torch.cat([polygon(4), torch.tensor([[0.3], [0.1]])], dim=1)
    return family([polygon(5), pair, four])


def sets() -> dict[str, Studied]:
    kinds = {"apart": "none", "together": "correlated"}
    return {
        name: family([polygon(4), polygon(4, 0.8)], correlation=kind, set_size=2)
        for name, kind in kinds.items()
    }


def grid() -> Studied:
    """2 in 1, densities unsorted, of which the phases are set."""
    densities, importances = (0.5, 1.0, 0.01), (0.1, 1.5, 10.0)
    cells = [(d, i) for d in densities for i in importances]
    W = [torch.tensor([[1.0, 0.0]]) if d > 0.4 else torch.tensor([[1.0, -1.0]]) for d, _ in cells]
    W[2] = torch.tensor([[0.0, 1.0]])
    importance = torch.tensor([[1.0, i] for _, i in cells])
    return family(W, [d for d, _ in cells], importance)


def neurons() -> dict[str, Studied]:
    """Neurons of one feature, of several, and idle; and many features by absolute values."""
    W = torch.tensor([[0.0, 0.0, 1.0], [1.0, -0.5, 0.0], [1e-3, 0.0, 0.0]])
    many = torch.zeros(4, 20)
    many[:2, :2], many[2:, 5:] = torch.diag(torch.tensor([2.0, -3.0])), 0.5
    return {
        "linear": family([W]),
        "relu": family([W, W], hidden_activation="relu"),
        "abs": family([many], W_out=many.mT[None], hidden_activation="relu", target="abs"),
    }


PRESETS: dict[str, Mapping[str, Studied]] = {
    "intro": {"": plane()},
    "norms": {"3in2": family([polygon(3)]), "5in2": plane()},
    "geometry": {"": plane()},
    "dimensionality": {"": plane()},
    "phase": {"2in1": grid()},
    "correlated": sets(),
    "basis": neurons(),
    "train": {"": plane()},
}
