"""Where the heads of a circuit look, by position."""

import torch

from mitool.planted.stream import HARD, Weights

POSITIONS = "position"
"""The place at which each position has a direction of its own."""


def look_back(weights: Weights, layer: int, head: int) -> None:
    """A head that looks at the token before; the first token, which has none, looks at itself."""
    n_ctx = weights.cfg.n_ctx
    after = torch.diag(torch.ones(n_ctx - 1), 1)  # a key answers the position behind it
    weights.look(layer, head, (POSITIONS, torch.eye(n_ctx)), (POSITIONS, after), HARD)


def look_at(weights: Weights, layer: int, head: int, *positions: int) -> None:
    """A head that looks evenly at some positions, from wherever they can be seen."""
    n_ctx = weights.cfg.n_ctx
    wanted = torch.zeros(n_ctx, 1)
    wanted[list(positions)] = 1.0
    weights.look(layer, head, (POSITIONS, torch.ones(n_ctx, 1)), (POSITIONS, wanted), HARD)
