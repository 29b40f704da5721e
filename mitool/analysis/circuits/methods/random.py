"""Random scores: what a method is to be better than."""

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.core.device import generator


def random(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores drawn evenly from 0 to 1."""
    drawn = generator(scoring.seed, "scores")
    return torch.rand(len(scoring.units), generator=drawn, dtype=torch.float64)
