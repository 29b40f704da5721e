"""What becomes of an extra feature: not represented, with a dimension of its own, or superposed.

The closed form compares the losses of the ways to store the features (Elhage et al. 2022,
"Superposition as a Phase Change"). A feature is 0 with probability ``1 - p`` and else uniform in
[0, 1]; the extra one has importance ``I`` and the others 1. Then

- a feature with a dimension of its own costs nothing;
- one that is not represented costs its importance times its variance, ``p/3 - p^2/4``: the bias of
  the output is its mean;
- two that share a dimension as antipodes (``W_i = -W_j``, biases 0) each lose the smaller of both
  values where neither is 0: their importances times ``p^2/6``.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.superposition.measures import interference, represented

Phase = Literal["not represented", "own dimension", "superposition"]
PHASES: tuple[Phase, ...] = ("not represented", "own dimension", "superposition")

SHARED = 0.25
"""Interference with the others above which the extra feature is in superposition."""

Cells = Float[Tensor, "..."]


def losses_of_arrangements(
    n_features: Literal[2, 3], density: Cells, importance: Cells
) -> Mapping[str, tuple[Phase, Cells]]:
    """The loss of each way to store the features in one dimension less than there are features.

    Args:
        n_features: 2 in one dimension, or 3 in two, of which the last is the extra one.
        density: ``p``, of all features.
        importance: ``I``, of the extra feature.

    Returns:
        What becomes of the extra feature, and the loss, by what the arrangement does.
    """
    variance = density / 3 - density.square() / 4
    collision = density.square() / 6
    arrangements: dict[str, tuple[Phase, Cells]] = {
        "the extra feature is left out": ("not represented", importance * variance),
        "another feature is left out": ("own dimension", variance),
        "the extra feature and another are antipodes": (
            "superposition",
            (1 + importance) * collision,
        ),
    }
    if n_features == 3:
        arrangements["the two others are antipodes"] = ("own dimension", 2 * collision)
    return arrangements


def predicted(n_features: Literal[2, 3], density: Cells, importance: Cells) -> Int[Tensor, "..."]:
    """The phase of least loss, as an index of ``PHASES``."""
    arrangements = losses_of_arrangements(n_features, density, importance).values()
    phase_of = torch.tensor([PHASES.index(phase) for phase, _ in arrangements])
    return phase_of[torch.stack([loss for _, loss in arrangements]).argmin(dim=0)]


def found(W: Float[Tensor, "instance hidden feature"]) -> Int[Tensor, " instance"]:
    """The phase of each model's last feature, as an index of ``PHASES``."""
    shared = interference(W)[:, -1] > SHARED
    return torch.where(represented(W)[:, -1], 1 + shared.long(), 0)


def away_from_boundaries(phases: Int[Tensor, "row column"]) -> Tensor:
    """Whether a cell's eight neighbours, or those that it has, are in its own phase."""
    padded = torch.nn.functional.pad(phases[None].float(), (1, 1, 1, 1), mode="replicate")[0]
    windows = padded.unfold(0, 3, 1).unfold(1, 3, 1).flatten(start_dim=2)
    return (windows == phases[..., None]).all(dim=-1)
