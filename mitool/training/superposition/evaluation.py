"""How well models of superposition do on features that they were not trained on."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from mitool.device import HOST, to_float64
from mitool.models.superposition import Autoencoders
from mitool.training.superposition.sampling import fill

AT_A_TIME = 2**20
"""Features that are drawn at a time, which bounds the memory it takes."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
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
    models: Autoencoders, name: str, seed: int, n_examples: int
) -> Float[Tensor, " instance"]:
    """The loss of each model on held-out examples, in float64.

    Args:
        name: of the family that they are.
        seed: of the run that trained them.
    """
    losses = [
        to_float64(models[chosen].losses(x))
        for chosen, x in _batches(models, name, seed, n_examples)
    ]
    return torch.cat(losses)


def best_of_restarts(losses: Float[Tensor, " model"], restarts: int) -> list[int]:
    """The models that do best of each ``restarts`` in a row."""
    best = losses.reshape(-1, restarts).argmin(dim=1)
    return (best + restarts * torch.arange(len(best), device=best.device)).tolist()


def _batches(
    models: Autoencoders, name: str, seed: int, n_examples: int
) -> Iterator[tuple[slice, Tensor]]:
    size = models.cfg.n_features * n_examples
    n = max(1, AT_A_TIME // size)
    for first in range(0, len(models), n):
        chosen = slice(first, min(first + n, len(models)))
        x = torch.empty(chosen.stop - first, models.cfg.n_features, n_examples, device=HOST)
        for i, density in enumerate(models.density[chosen].tolist()):
            fill(x[i][None].numpy(), models.cfg, density, seed, name, "test", first + i)
        yield chosen, x.to(models.W)
