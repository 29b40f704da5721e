"""The embedding in the Fourier basis."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.fourier.basis import by_frequency, gini, key_frequencies, operand_basis
from mitool.analysis.fourier.form import CyclicForm


@dataclass(frozen=True)
class EmbeddingSpectrum:
    """``W_E`` of the operand tokens, in the order of the form's operands.

    Attributes:
        norms: the norm of each of its Fourier components.
        shares: the share of each frequency in its variance over tokens (its mean removed).
        singular_values: of W_E as it is, its mean included.
        directions: its left singular vectors, the principal components over tokens.
        in_basis: their Fourier components.
        gini: of ``norms``.
    """

    norms: Float[Tensor, " row"]
    shares: Float[Tensor, " frequency"]
    singular_values: Float[Tensor, " direction"]
    directions: Float[Tensor, "operand direction"]
    in_basis: Float[Tensor, "row direction"]
    gini: float | None

    @property
    def threshold(self) -> float:
        """The least share of a key frequency: twice what an even spread would give each."""
        return min(1.0, 2 / len(self.shares)) - 1e-9

    def key_frequencies(self) -> list[int]:
        return key_frequencies(self.shares, self.threshold)


def embedding_spectrum(
    embedding: Float[Tensor, "token d_model"], form: CyclicForm
) -> EmbeddingSpectrum:
    """Analyse an embedding matrix in float64."""
    rows = embedding[form.operands]
    basis = operand_basis(form.phases_a, form.order)
    components = basis @ rows
    variance = (rows - rows.mean(dim=0)).square().sum()
    power = by_frequency(components.square().sum(dim=1))
    shares = power / variance if variance else torch.zeros_like(power)
    directions, singular_values, _ = torch.linalg.svd(rows, full_matrices=False)
    norms = components.norm(dim=1)
    return EmbeddingSpectrum(
        norms, shares, singular_values, directions, basis @ directions, gini(norms)
    )


def embedding_gini(embedding: Float[Tensor, "token d_model"], form: CyclicForm) -> float | None:
    """Of the norms of the embedding's Fourier components."""
    basis = operand_basis(form.phases_a, form.order)
    return gini((basis @ embedding[form.operands]).norm(dim=1))
