"""Neurons as functions of the pair (a, b), and what they write to the logits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.fourier.basis import by_frequency, fourier_basis, gini
from mitool.analysis.fourier.form import CyclicForm
from mitool.analysis.fourier.grid import Bases, GridSpectrum, grid_spectrum
from mitool.models.transformer import Block, ToyTransformer

SINGLE_FREQUENCY = 0.85
"""Share of a neuron's variance that makes it a neuron of one frequency (Nanda et al. 2023)."""


@dataclass(frozen=True)
class NeuronSpectrum:
    """The last MLP's neurons in the Fourier basis.

    Attributes:
        grid: the activations as functions of the pair; its columns are neurons.
        frequency: the frequency whose terms explain most of each neuron.
        explained: the share of the neuron's variance that they explain.
        logit_map: ``W_out W_U`` in the Fourier basis of the output's phase.
        singular_values: of the map.
    """

    grid: GridSpectrum
    frequency: Int[Tensor, " neuron"]
    explained: Float[Tensor, " neuron"]
    logit_map: Float[Tensor, "neuron row"]
    singular_values: Float[Tensor, " direction"]

    @property
    def is_single(self) -> Bool[Tensor, " neuron"]:
        """Whether one frequency explains at least 85 % of each neuron."""
        return self.explained >= SINGLE_FREQUENCY

    @property
    def single_fraction(self) -> float:
        """The share of all neurons that have one frequency."""
        return self.is_single.double().mean().item()

    def cluster(self, k: int) -> Int[Tensor, " neuron"]:
        """The neurons of frequency ``k`` alone, the one it explains best first."""
        members = (self.is_single & (self.frequency == k)).nonzero()[:, 0]
        return members[self.explained[members].argsort(descending=True, stable=True)]

    def cluster_sizes(self) -> dict[int, int]:
        """How many neurons each frequency has, most first."""
        counts = torch.bincount(self.frequency[self.is_single])
        order = counts.argsort(descending=True, stable=True)
        return {int(k): int(counts[k]) for k in order if counts[k]}

    def key_frequencies(self, threshold: float) -> list[int]:
        """The frequencies of at least ``threshold`` of all neurons, most neurons first."""
        least = max(1, math.ceil(threshold * len(self.frequency) - 1e-9))
        return [k for k, size in self.cluster_sizes().items() if size >= least]

    def writes(self, frequencies: Sequence[int]) -> Float[Tensor, "cluster frequency"]:
        """What each frequency's cluster writes to the logits: its share by output frequency."""
        rows = []
        for k in frequencies:
            power = by_frequency(self.logit_map[self.cluster(k)].square().sum(dim=0))
            rows.append(power / power.sum().clamp_min(torch.finfo(power.dtype).tiny))
        return torch.stack(rows) if rows else torch.zeros(0, len(self.grid.shares))


def neuron_spectrum(
    neurons: Float[Tensor, "pair neuron"], model: ToyTransformer, form: CyclicForm, bases: Bases
) -> NeuronSpectrum:
    """Analyse activations over all pairs, in float64."""
    grid = grid_spectrum(neurons, bases)
    explained, index = grid.shares.max(dim=0)
    weights = neuron_logit_map(model, form)
    in_basis = weights @ fourier_basis(form.order).T
    return NeuronSpectrum(grid, index + 1, explained, in_basis, torch.linalg.svdvals(weights))


def neuron_logit_map(model: ToyTransformer, form: CyclicForm) -> Float[Tensor, "neuron phase"]:
    """``W_out W_U`` of the last MLP, with the weights of a final normalisation in between."""
    block = model.blocks[-1]
    assert isinstance(block, Block)
    assert block.mlp is not None, "an attention-only model has no neurons"
    unembed = model.unembed.W_U[:, form.outputs]
    if hasattr(model.ln_final, "w"):
        unembed = model.ln_final.w[:, None] * unembed
    return block.mlp.W_out @ unembed


def map_gini(in_basis: Float[Tensor, "neuron row"]) -> float | None:
    """Of the norms of the Fourier components of the neuron-logit map."""
    return gini(in_basis.norm(dim=0))
