"""What the neurons of a hidden layer with a ReLU stand for."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.models.superposition import Autoencoders

DOMINANT = 0.9
"""The share of a neuron's weights, by their absolute values, that makes it one feature's."""

IDLE = 0.1
"""A neuron whose weights add up to less than this share of the largest such sum is idle."""

COMPUTED = 0.5
"""The least output for an input of 1, of a feature that a model computes."""


def scaled(models: Autoencoders) -> Float[Tensor, "instance hidden feature"]:
    """``W`` as neurons see it. Where the weights out of a neuron are its own, its scale means
    nothing, and its largest weight becomes 1, or -1.
    """
    if models.cfg.is_tied:
        return models.W
    largest = models.W.abs().amax(dim=2, keepdim=True)
    return torch.where(largest > 0, models.W / largest, 0.0)


def active_neurons(models: Autoencoders) -> Tensor:
    """Whether a neuron takes part: its weights in and out are not next to nothing."""
    through = models.W.abs().sum(dim=2) * models.decoder.abs().sum(dim=1)
    return through.sqrt() > IDLE * through.sqrt().amax(dim=1, keepdim=True)


def monosemantic(models: Autoencoders) -> Tensor:
    """Whether a neuron takes part, and 90 % of its weights (by absolute value) are one feature's
    [instance, hidden].
    """
    size = models.W.abs()
    share = size.amax(dim=2) / size.sum(dim=2).clamp(min=1e-30)
    return (share > DOMINANT) & active_neurons(models)


def features_computed(models: Autoencoders) -> Int[Tensor, " instance"]:
    """For how many features the output is at least half of what it should be, where the input is
    that feature alone, at 1 and, of models of absolute values, at -1 too.
    """
    eye = torch.eye(models.cfg.n_features, device=models.W.device).expand(len(models), -1, -1)
    signs = (1, -1) if models.cfg.target == "abs" else (1,)
    outputs = torch.stack([models(sign * eye).diagonal(dim1=1, dim2=2) for sign in signs])
    return (outputs >= COMPUTED).all(dim=0).sum(dim=1)
