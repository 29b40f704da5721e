"""Functions of the pair (a, b) in the two-dimensional Fourier basis."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.fourier.basis import by_frequency, rows_of

CHUNK = 2**23
"""Values (activations, logits) that are computed or transformed at a time."""

Bases = tuple[Float[Tensor, "row a"], Float[Tensor, "row b"]]
"""The operands' bases, by which a function of the pair is transformed."""


@dataclass(frozen=True)
class GridSpectrum:
    """Columns of values over all pairs, each a function of (a, b).

    Attributes:
        norms: the norm over columns of each coefficient.
        products: the coefficients of each frequency's cosine and sine of a times those of b.
        shares: the share of each column's variance over pairs that the 8 linear and quadratic
            terms of each frequency explain; 0 in a column that never changes.
    """

    norms: Float[Tensor, "row_a row_b"]
    products: Float[Tensor, "frequency 2 2 column"]
    shares: Float[Tensor, "frequency column"]


def grid_spectrum(values: Float[Tensor, "pair column"], bases: Bases) -> GridSpectrum:
    """Transform ``values``, some columns at a time."""
    squares = torch.zeros(len(bases[0]), len(bases[1]), dtype=values.dtype)
    products, shares = [], []
    for chunk in values.split(max(1, CHUNK // len(values)), dim=1):
        coefficients = transform(chunk, bases)
        squares += coefficients.square().sum(dim=-1)
        products.append(_products(coefficients))
        shares.append(_shares(coefficients, products[-1], chunk))
    return GridSpectrum(squares.sqrt(), torch.cat(products, dim=-1), torch.cat(shares, dim=-1))


def transform(
    values: Float[Tensor, " pair *column"], bases: Bases
) -> Float[Tensor, "row_a row_b *column"]:
    """The coefficients of functions of the pair on products of the operands' bases."""
    grid = values.unflatten(0, (bases[0].shape[1], bases[1].shape[1]))
    along_a = torch.tensordot(bases[0], grid, dims=([1], [0]))
    return torch.tensordot(bases[1], along_a, dims=([1], [1])).transpose(0, 1)


def _products(
    coefficients: Float[Tensor, "row_a row_b column"],
) -> Float[Tensor, "frequency 2 2 column"]:
    n = len(coefficients)
    products = coefficients.new_zeros(n // 2, 2, 2, coefficients.shape[-1])
    for k in range(1, n // 2 + 1):
        for i, row_a in enumerate(rows_of(k, n)):
            for j, row_b in enumerate(rows_of(k, n)):
                products[k - 1, i, j] = coefficients[row_a, row_b]
    return products


def _shares(
    coefficients: Float[Tensor, "row_a row_b column"],
    products: Float[Tensor, "frequency 2 2 column"],
    values: Float[Tensor, "pair column"],
) -> Float[Tensor, "frequency column"]:
    explained = products.square().sum(dim=(1, 2))
    explained += by_frequency(coefficients[:, 0].square())
    explained += by_frequency(coefficients[0].square())
    square = values.square().sum(dim=0)
    variance = square - coefficients[0, 0].square()
    changes = variance > 1e-12 * square
    return torch.where(changes, explained / variance.where(changes, 1.0), 0.0)
