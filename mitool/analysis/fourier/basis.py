"""The Fourier basis of Z_n, in float64: constant, cos 1, sin 1, cos 2, sin 2, ..

Row 0 is constant; rows 2k - 1 and 2k are the cosine and sine of 2 pi k x / n, for all k from 1
to (n - 1) / 2. An even n has one more row, the cosine of k = n / 2. All rows have norm 1.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def angles(k: int, n: int) -> Float[Tensor, " phase"]:
    """2 pi k x / n for each x of Z_n, within one turn."""
    return 2 * math.pi * ((k * torch.arange(n)) % n).double() / n


def fourier_basis(n: int) -> Float[Tensor, "row phase"]:
    """The orthonormal basis of functions on Z_n [n, n]."""
    rows = [torch.full((n,), 1 / math.sqrt(n), dtype=torch.float64)]
    for k in range(1, n // 2 + 1):
        waves = [angles(k, n).cos(), angles(k, n).sin()][: len(rows_of(k, n))]
        rows += [math.sqrt(len(waves) / n) * wave for wave in waves]
    return torch.stack(rows)


def operand_basis(phases: Int[Tensor, " operand"], n: int) -> Float[Tensor, "row operand"]:
    """The basis as functions of operands with these phases: [n, operand].

    Where each phase is one operand's it is the Fourier basis, reordered. Elsewhere the rows of
    each frequency are made orthonormal and free of a mean, and rows of different frequencies
    overlap; a row that the others of its frequency already span is 0.
    """
    rows = fourier_basis(n)[:, phases]
    if len(phases) == n and len(phases.unique()) == n:
        return rows
    rows[0] = 1 / math.sqrt(len(phases))
    for k in range(1, n // 2 + 1):
        span = [rows[0]]
        for row in rows_of(k, n):
            own = rows[row].clone()
            for other in span:
                own -= (own @ other) * other
            norm = own.norm()
            rows[row] = own / norm if norm > 1e-9 else 0.0
            span.append(rows[row])
    return rows


def rows_of(k: int, n: int) -> list[int]:
    """The rows of frequency ``k``: its cosine and, unless k = n / 2, its sine."""
    return [2 * k - 1] if 2 * k == n else [2 * k - 1, 2 * k]


def row_name(row: int) -> str:
    """``1``, ``cos 3`` or ``sin 3``."""
    return "1" if row == 0 else f"{'sin' if row % 2 == 0 else 'cos'} {(row + 1) // 2}"


def by_frequency(power: Float[Tensor, " row *rest"]) -> Float[Tensor, " frequency *rest"]:
    """Power by row summed over each frequency 1, 2, .., n // 2; the constant is left out."""
    n = len(power)
    sums = torch.zeros(n // 2, *power.shape[1:], dtype=power.dtype)
    frequency = (torch.arange(1, n) + 1) // 2 - 1
    return sums.index_add_(0, frequency, power[1:])


def gini(values: Float[Tensor, " value"]) -> float | None:
    """The Gini coefficient of non-negative values: 0 if all are equal, near 1 if one is alone.

    Hurley and Rickard 2009, arXiv 0811.4706, section II. None where all values are 0.
    """
    ordered = values.sort().values
    total, n = ordered.sum(), len(ordered)
    if total == 0:
        return None
    weights = (n - torch.arange(1, n + 1, dtype=values.dtype) + 0.5) / n
    return (1 - 2 * (ordered / total * weights).sum()).item()


def key_frequencies(shares: Float[Tensor, " frequency"], threshold: float) -> list[int]:
    """The frequencies whose share is at least ``threshold``, largest share first."""
    order = shares.argsort(descending=True, stable=True)
    return [int(index) + 1 for index in order if shares[index] >= threshold]
