"""Attention from the answer position to the operands, as functions of the pair (a, b)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.fourier.basis import row_name
from mitool.analysis.fourier.grid import Bases, transform
from mitool.core.node_names import head_name

MOST_TERMS = 6
"""Terms that are listed of a pattern."""


@dataclass(frozen=True)
class Term:
    """One product of a function of a and one of b in a pattern.

    Attributes:
        name: such as ``cos 3 a`` or ``cos 3 a sin 3 b``.
        coefficient: on the orthonormal basis.
        share: of the pattern's variance over pairs.
    """

    name: str
    coefficient: float
    share: float


@dataclass(frozen=True)
class HeadPattern:
    """One head's attention from the answer position.

    Attributes:
        to_a, to_b: the weight on each operand.
        terms_a, terms_b: the largest Fourier terms of each, the mean left out.
    """

    layer: int
    head: int
    to_a: Float[Tensor, "a b"]
    to_b: Float[Tensor, "a b"]
    terms_a: tuple[Term, ...]
    terms_b: tuple[Term, ...]

    @property
    def name(self) -> str:
        return head_name(self.layer, self.head)


def head_patterns(
    patterns: list[Float[Tensor, "pair head key"]], bases: Bases
) -> list[HeadPattern]:
    """Each head of each layer."""
    return [
        _head(layer, head, pattern[:, head], bases)
        for layer, pattern in enumerate(patterns)
        for head in range(pattern.shape[1])
    ]


def _head(layer: int, head: int, pattern: Float[Tensor, "pair key"], bases: Bases) -> HeadPattern:
    shape = bases[0].shape[1], bases[1].shape[1]
    to_a, to_b = (pattern[:, operand].unflatten(0, shape) for operand in (0, 1))
    return HeadPattern(layer, head, to_a, to_b, _terms(to_a, bases), _terms(to_b, bases))


def _terms(grid: Float[Tensor, "a b"], bases: Bases) -> tuple[Term, ...]:
    coefficients = transform(grid.flatten(), bases)
    coefficients[0, 0] = 0
    variance = (grid - grid.mean()).square().sum().item()
    if variance <= 1e-24 * grid.square().sum().item():
        return ()
    n = len(coefficients)
    largest = coefficients.flatten().abs().argsort(descending=True)[:MOST_TERMS]
    return tuple(
        Term(_name(int(i) // n, int(i) % n), c := coefficients.flatten()[i].item(), c**2 / variance)
        for i in largest
    )


def _name(row_a: int, row_b: int) -> str:
    parts = [f"{row_name(row)} {x}" for row, x in ((row_a, "a"), (row_b, "b")) if row]
    return " ".join(parts)
