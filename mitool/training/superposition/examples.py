"""The examples of some models, drawn for a few steps at a time."""

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.core.device import HOST
from mitool.models.superposition import Autoencoders
from mitool.training.superposition.sampling import fill

LEAST_DRAWN = 2**19
"""Numbers that are drawn at a time: fewer, and starting to draw takes longer."""


class Examples:
    """The features of every step, found from the seed and the step alone.

    They do not depend on which models are side by side, nor on the device. Restarts of one model
    have examples of their own, which are drawn together.
    """

    def __init__(
        self, models: Autoencoders, first: int, name: str, seed: int, batch_size: int
    ) -> None:
        """Prepare to draw.

        Args:
            first: the index of the first model among those of its family.
            name: of the family.
        """
        self._models, self._first, self._name, self._seed = models, first, name, seed
        self._n_steps = steps_drawn(models, batch_size)
        shape = (len(models), self._n_steps, models.cfg.n_features, batch_size)
        self._drawn = torch.empty(shape, device=HOST)
        self._number = -1

    def __getitem__(self, step: int) -> Float[Tensor, "instance feature example"]:
        number, index = divmod(step, self._n_steps)
        if number != self._number:
            self._draw(number)
        return self._drawn[:, index].to(self._models.W.device, non_blocking=True)

    def _draw(self, number: int) -> None:
        cfg, density = self._models.cfg, self._models.density.tolist()
        for start in range(0, len(density), cfg.restarts):
            alike = self._drawn[start : start + cfg.restarts].flatten(end_dim=1)
            purpose = (self._name, "batch", number, self._first + start)
            fill(alike.numpy(), cfg, density[start], self._seed, *purpose)
        self._number = number


def steps_drawn(models: Autoencoders, batch_size: int) -> int:
    """How many steps' examples are drawn at a time."""
    return max(1, LEAST_DRAWN // (models.cfg.n_features * models.cfg.restarts * batch_size))
