"""How well models of superposition do on features that they were not trained on."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from pydantic.dataclasses import dataclass
from torch import Tensor

from mitool.core.config import FROZEN
from mitool.core.device import HOST, to_float64
from mitool.models.superposition import Autoencoders
from mitool.training.superposition.sampling import fill


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class SuperpositionEvaluation:
    """The state of a run after ``step`` steps, which are epochs too: a line of ``metrics.jsonl``.

    Attributes:
        losses: of each model, or the best of its restarts, by family.
        seconds: seconds of training so far, evaluation left out.
    """

    epoch: int
    step: int
    losses: dict[str, list[float]]
    seconds: float

    @property
    def mean_loss(self) -> float:
        """Over all models."""
        losses = [loss for family in self.losses.values() for loss in family]
        return sum(losses) / len(losses)


@torch.no_grad()
def held_out_losses(
    models: Autoencoders, name: str, seed: int, n_examples: Callable[[float], int]
) -> Float[Tensor, " model"]:
    """The loss of each model on held-out examples, in float64.

    Models that are restarts of one another have the same examples, so that it is them that differ.

    Args:
        name: of the family that they are.
        seed: of the run that trained them.
        n_examples: how many there are of a density.
    """
    losses = []
    for first in range(0, len(models), models.cfg.restarts):
        alike = models[first : first + models.cfg.restarts]
        density = float(alike.density[0])
        x = torch.empty(1, models.cfg.n_features, n_examples(density), device=HOST)
        fill(x.numpy(), models.cfg, density, seed, name, "test", first)
        losses.append(_mean_losses(alike, x.to(models.W)))
    return torch.cat(losses)


def _mean_losses(
    models: Autoencoders, x: Float[Tensor, "1 feature example"]
) -> Float[Tensor, " model"]:
    """The losses over all examples, of which those without any feature are all alike."""
    is_empty = (x == 0).all(dim=1)[0]
    n_empty, n = int(is_empty.sum()), len(is_empty)
    total = torch.zeros(len(models), dtype=torch.float64, device=HOST)
    for part, count in ((x[..., ~is_empty], n - n_empty), (x[..., is_empty][..., :1], n_empty)):
        if count:
            losses = models.losses(part.expand(len(models), -1, -1))
            total += to_float64(losses).to(HOST) * count
    return total / n


def best_of_restarts(losses: Float[Tensor, " model"], restarts: int) -> list[int]:
    """The models that do best of each ``restarts`` in a row."""
    best = losses.reshape(-1, restarts).argmin(dim=1)
    return (best + restarts * torch.arange(len(best), device=best.device)).tolist()
