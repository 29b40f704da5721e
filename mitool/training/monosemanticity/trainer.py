"""The training of one model: its features, LAMB, the oscillating learning rate and bias decay."""

import copy
import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from pytorch_optimizer import Lamb
from torch import Tensor

from mitool.core.device import HOST, drawer
from mitool.models.monosemanticity import FeatureMLP
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.training.state import restore_state, state_of
from mitool.training.superposition.sampling import fill_independently

EXPONENT = 1.1
"""Of the power law by which feature i comes as often as ``i^-1.1``."""

DRAWN, MOST_STEPS = 2**19, 8
"""Numbers that are drawn at a time, of so many steps at most: of fewer, starting takes longer."""


class Trainer:
    """One model and its optimiser."""

    def __init__(self, model: FeatureMLP, settings: MonosemanticitySettings, seed: int) -> None:
        """Prepare to train ``model``, in place."""
        self.model, self.settings, self._seed = model, settings, seed
        parameters = [model.W_in, model.b_in, model.W_out]
        # or else steps are longer at first, by Adam's correction of the first average's bias
        self.optimizer = Lamb(parameters, lr=settings.learning_rate, adam_debias=True)

    def train(self, start: int, stop: int) -> None:
        """Take the steps ``start`` to ``stop - 1``, unless the model has diverged."""
        if not self.is_finite():
            return
        examples = Examples(self.settings, self._seed)
        for step in range(start, stop):
            self.step(step, examples[step].to(self.model.W_E.device))

    def step(self, step: int, x: Float[Tensor, "example N"]) -> None:
        """Take one step on some examples."""
        s, model = self.settings, self.model
        self.optimizer.zero_grad()
        loss_of(model, x, s).backward()
        self.optimizer.param_groups[0]["lr"] = learning_rate(s, step)
        self.optimizer.step()
        if s.decay and step < s.steps / 2:
            with torch.no_grad():
                model.b_in.mul_(1 - s.decay * s.learning_rate)

    def gradients(
        self, step: int, device: torch.device, dtype: torch.dtype
    ) -> Mapping[str, Float[Tensor, "..."]]:
        """Loss and gradients of a step, worked out on a device by a copy of the model."""
        model = copy.deepcopy(self.model).to(device, dtype)
        loss = loss_of(
            model, Examples(self.settings, self._seed)[step].to(model.W_E), self.settings
        )
        loss.backward()
        trained = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        return {"the loss": loss} | {f"the gradient of {n}": g for n, g in trained.items()}

    def is_finite(self) -> bool:
        """Whether the model has not diverged."""
        return all(bool(weight.isfinite().all()) for weight in self.model.parameters())

    def state(self) -> dict[str, Tensor]:
        return state_of(self.model, self.optimizer)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put weights and optimiser state back.

        Raises:
            InputError: they are another model's.
        """
        restore_state(self.model, self.optimizer, state)


def loss_of(
    model: FeatureMLP, x: Float[Tensor, "example N"], settings: MonosemanticitySettings
) -> Float[Tensor, ""]:
    """What a step makes smaller: the mean of the examples' squared errors and, times ``reg``, of
    the neurons' absolute activations.
    """
    hidden = model.hidden(x)
    loss = model.errors(x, hidden).sum()
    if settings.reg:
        loss = loss + settings.reg * hidden.abs().sum()
    return loss / len(x)


def learning_rate(settings: MonosemanticitySettings, step: int) -> float:
    """That of a step: a cosine between the largest rate and 0, which falls and rises again."""
    phase = math.pi * step / settings.half_period
    return settings.learning_rate * (1 + math.cos(phase)) / 2


def densities(settings: MonosemanticitySettings) -> Float[np.ndarray, " N"]:
    """How often each feature is not 0: ``eps``, or by a power law with that mean before what is
    more than 1 becomes 1.
    """
    if settings.sample_kind == "equal":
        return np.full(settings.N, settings.eps)
    weights = np.arange(1, settings.N + 1, dtype=np.float64) ** -EXPONENT
    return np.minimum(1, weights * settings.N * settings.eps / weights.sum())


def draw(
    n: int, settings: MonosemanticitySettings, seed: int, *purpose: str | int
) -> Float[Tensor, "n N"]:
    """Examples: of each, a feature is 0 or uniform in (0, 1]. To learn absolute values, it is the
    difference of two such, each half as often not 0.

    Args:
        purpose: what the examples are for: the same seed and purpose give the same ones.
    """
    draws = drawer(seed, "features", *purpose)
    density = densities(settings)
    if settings.task != "abs":
        return _drawn(n, density, draws)
    return _drawn(n, density / 2, draws) - _drawn(n, density / 2, draws)


def _drawn(
    n: int, density: Float[np.ndarray, " N"], draws: np.random.Generator
) -> Float[Tensor, "n N"]:
    x = np.empty((len(density), n), dtype=np.float32)
    if (density == density[0]).all():
        fill_independently(x.reshape(-1), float(density[0]), draws)
    else:
        for row, own in zip(x, density.tolist(), strict=True):
            fill_independently(row, own, draws)
    return torch.from_numpy(x).T.contiguous()


class Examples:
    """The examples of every step, found from the seed and the step alone: models that learn on
    the same features see the same ones.
    """

    def __init__(self, settings: MonosemanticitySettings, seed: int) -> None:
        self._settings, self._seed = settings, seed
        self.n_drawn = steps_drawn(settings)
        self._number = -1
        self._drawn = torch.empty(0, device=HOST)

    def __getitem__(self, step: int) -> Float[Tensor, "example N"]:
        number, index = divmod(step, self.n_drawn)
        if number != self._number:
            n = self.n_drawn * self._settings.batch_size
            self._drawn = draw(n, self._settings, self._seed, "batch", number)
            self._number = number
        return self._drawn.unflatten(0, (self.n_drawn, -1))[index]


def steps_drawn(settings: MonosemanticitySettings) -> int:
    """How many steps' examples are drawn at a time."""
    return max(1, min(MOST_STEPS, DRAWN // (settings.N * settings.batch_size)))
