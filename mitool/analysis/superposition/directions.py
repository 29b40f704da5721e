"""Directions of features in a hidden layer of two dimensions, and in sets of features."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.superposition.measures import norms, represented


def neighbour_angles(W: Float[Tensor, "2 feature"]) -> list[float]:
    """The angles in degrees between neighbouring directions of represented features, all around
    the plane; of one that is more than half a turn, the rest of the turn.
    """
    x, y = W[:, represented(W[None])[0]]
    turns = torch.atan2(y, x).double().sort().values
    if len(turns) < 2:
        return []
    gaps = torch.diff(turns, append=turns[:1] + 2 * math.pi)
    return torch.minimum(gaps, 2 * math.pi - gaps).rad2deg().tolist()


def cosines(
    W: Float[Tensor, "instance hidden feature"], set_size: int
) -> tuple[list[float | None], list[float | None]]:
    """The mean cosine of two represented features' directions: within a set, and of different
    sets; None where there are no two such.
    """
    length = norms(W).clamp(min=1e-30)[:, None]
    cosine = (W / length).mT @ (W / length)
    sets = torch.arange(W.shape[2], device=W.device) // set_size
    same = sets[:, None] == sets
    pairs = torch.ones_like(same).triu(1)
    both = represented(W)[:, :, None] & represented(W)[:, None]
    return _means(cosine, both & same & pairs), _means(cosine, both & ~same & pairs)


def _means(values: Tensor, chosen: Tensor) -> list[float | None]:
    return [v[c].mean().item() if c.any() else None for v, c in zip(values, chosen, strict=True)]
