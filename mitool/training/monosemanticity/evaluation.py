"""What is measured of models while they learn."""

import torch
from jaxtyping import Float
from pydantic.dataclasses import dataclass
from torch import Tensor

from mitool.core.config import FROZEN
from mitool.core.device import to_float64
from mitool.models.monosemanticity import FeatureMLP, is_monosemantic
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.training.monosemanticity.trainer import draw

PART = 4096
"""Examples that are measured at a time."""


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class MonosemanticityEvaluation:
    """The state of a run after ``step`` steps, which are epochs too: a line of ``metrics.jsonl``.

    Of each model, in the order of the sweep; None of those that have diverged.

    Attributes:
        loss: squared error on held-out examples, summed over outputs, averaged over examples.
        monosemantic_neurons: how many there are.
        mean_bias: over all neurons.
        seconds: seconds of training so far, evaluation left out.
    """

    epoch: int
    step: int
    loss: list[float | None]
    monosemantic_neurons: list[int | None]
    mean_bias: list[float | None]
    seconds: float

    @property
    def mean_loss(self) -> float:
        """Over all models that have not diverged."""
        known = [loss for loss in self.loss if loss is not None]
        return sum(known) / len(known)

    @property
    def most_monosemantic(self) -> int:
        """Monosemantic neurons of the model that has most."""
        return max(count for count in self.monosemantic_neurons if count is not None)


@torch.no_grad()
def held_out_loss(
    model: FeatureMLP, settings: MonosemanticitySettings, seed: int, n_examples: int
) -> float:
    """The loss of a model on held-out examples, without the activations' L1 norm."""
    x = draw(n_examples, settings, seed, "test").to(model.W_E.device)
    losses = [to_float64(model.errors(part, model.hidden(part))) for part in x.split(PART)]
    return torch.cat(losses).mean().item()


def monosemantic_neurons(
    activations: Float[Tensor, "N k"], settings: MonosemanticitySettings
) -> int:
    """How many neurons are one feature's."""
    return int(is_monosemantic(activations, settings.mono_threshold).sum())
