"""How models of superposition represent features: norms, interference and dimensionality.

Elhage et al. 2022. ``W_i`` is the direction of feature ``i``, a column of ``W``, and ``Ŵ_i`` the
unit vector along it.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

REPRESENTED = 0.5
"""The norm of ``W_i`` above which a feature is represented."""

Weights = Float[Tensor, "instance hidden feature"]
PerFeature = Float[Tensor, "instance feature"]


def norms(W: Weights) -> PerFeature:
    """``||W_i||``."""
    return W.norm(dim=1)


def represented(W: Weights) -> Bool[Tensor, "instance feature"]:
    """Whether ``||W_i|| > 0.5``."""
    return norms(W) > REPRESENTED


def interference(W: Weights) -> PerFeature:
    """The superposition of a feature: ``sum over j != i of (Ŵ_i . W_j)^2``; 0 where ``W_i`` is."""
    projections = (_unit(W).mT @ W).square()
    return projections.sum(dim=2) - projections.diagonal(dim1=1, dim2=2)


def dimensionality(W: Weights) -> PerFeature:
    """The share of a dimension that a feature has: ``D_i = ||W_i||^2 / sum over j of
    (Ŵ_i . W_j)^2``; 0 where ``W_i`` is.
    """
    square = norms(W).square()
    shared = interference(W) + square
    return torch.where(shared > 0, square / shared, 0.0)


def dimensions_per_feature(W: Weights) -> Float[Tensor, " instance"]:
    """``D* = m / ||W||_F^2`` for ``m`` hidden dimensions; infinite where ``W`` is 0."""
    return W.shape[1] / W.square().sum(dim=(1, 2))


def mean_interference(W: Weights) -> list[float | None]:
    """The mean superposition of the represented features of each model, if it has any."""
    found, is_represented = interference(W), represented(W)
    return [
        values[chosen].mean().item() if chosen.any() else None
        for values, chosen in zip(found, is_represented, strict=True)
    ]


def _unit(W: Weights) -> Weights:
    length = W.norm(dim=1, keepdim=True)
    return torch.where(length > 0, W / length, 0.0)
