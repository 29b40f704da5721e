"""Where the heads of a circuit look, by position."""

import torch

from mitool.planted.stream import Weights

POSITIONS = "position"
"""The place at which each position has a direction of its own."""

NATS = 20.0
"""By how much the score of a position that is looked at exceeds any other: e^-20 is rounding."""


def look_back(weights: Weights, layer: int, head: int) -> None:
    """A head that looks at the token before; the first token, which has none, looks at itself."""
    n_ctx = weights.cfg.n_ctx
    after = torch.diag(torch.ones(n_ctx - 1), 1)  # a key answers the position behind it
    weights.look(layer, head, (POSITIONS, torch.eye(n_ctx)), (POSITIONS, after), NATS)


def look_at(weights: Weights, layer: int, head: int, *positions: int) -> None:
    """A head that looks evenly at some positions, from wherever they can be seen."""
    n_ctx = weights.cfg.n_ctx
    wanted = torch.zeros(n_ctx, 1)
    wanted[list(positions)] = 1.0
    weights.look(layer, head, (POSITIONS, torch.ones(n_ctx, 1)), (POSITIONS, wanted), NATS)
