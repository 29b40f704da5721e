"""Models of superposition whose weights are set by hand."""

import math

import torch
from torch import Tensor

from mitool.analysis.superposition.experiments import Studied
from mitool.models.superposition import AutoencoderConfig, Autoencoders


def directions(*vectors: tuple[float, ...]) -> Tensor:
    """One model's ``W`` [1, hidden, feature]."""
    return torch.tensor(vectors, dtype=torch.float32).T[None]


def polygon(n: int, start: float = 0.0) -> list[tuple[float, float]]:
    """The vertices of a regular polygon on the unit circle, the first at ``start`` degrees."""
    turns = [math.radians(start) + 2 * math.pi * k / n for k in range(n)]
    return [(math.cos(turn), math.sin(turn)) for turn in turns]


def square_antiprism() -> list[tuple[float, float, float]]:
    """Eight unit vectors whose squares add up to the same in every direction: heights are
    1/sqrt(3).
    """
    radius, height = math.sqrt(2 / 3), math.sqrt(1 / 3)
    lower = [(radius * x, radius * y, -height) for x, y in polygon(4)]
    return lower + [(radius * x, radius * y, height) for x, y in polygon(4, 45)]


TETRAHEDRON = [
    tuple(c / math.sqrt(3) for c in corner)
    for corner in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
]
DIGON = [(1.0,), (-1.0,)]


def tegum(*polytopes: list[tuple[float, ...]]) -> Tensor:
    """One model's ``W`` whose features form these polytopes, each in dimensions of its own."""
    blocks = [torch.tensor(vertices, dtype=torch.float32).T for vertices in polytopes]
    return torch.block_diag(*blocks)[None]


def studied(W: Tensor, density: float | list[float] = 0.5, **kind: object) -> Studied:
    """Models of these directions, with biases 0 and importances 1."""
    n, n_hidden, n_features = W.shape
    densities = torch.tensor(density if isinstance(density, list) else [density] * n)
    cfg = AutoencoderConfig(n_features=n_features, n_hidden=n_hidden, **kind)
    ones = torch.ones(n, n_features)
    W_out = None if cfg.is_tied else W.mT.contiguous()
    return Studied(Autoencoders(cfg, densities, ones, W, 0 * ones, W_out), (0.0,) * n)
