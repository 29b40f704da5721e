"""The residual stream as a sum of products that are not yet multiplied out.

Linear maps of the stream (an MLP's input weights, the unembedding) apply to each term where it
is cheapest: to the table behind a mixture, or to the right factor of a product. The values are
those of the textbook form; only the order of the products differs.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.models.mixing import Pattern, mix


@dataclass(frozen=True)
class Dense:
    """A matrix, or one row that stands for all."""

    matrix: Float[Tensor, "row width"]

    def project(self, weight: Float[Tensor, "width out"]) -> "Dense":
        return Dense(self.matrix @ weight)

    def dense(self) -> Float[Tensor, "row width"]:
        return self.matrix


@dataclass(frozen=True)
class Product:
    """``left @ right``."""

    left: Float[Tensor, "row inner"]
    right: Float[Tensor, "inner width"]

    def project(self, weight: Float[Tensor, "width out"]) -> "Product":
        """Associate to the side that takes fewer multiplications."""
        rows, inner = self.left.shape
        width, out = weight.shape
        if inner * out * (width + rows) < rows * width * (inner + out):
            return Product(self.left, self.right @ weight)
        return Product(self.left @ self.right, weight)

    def dense(self) -> Float[Tensor, "row width"]:
        return self.left @ self.right


@dataclass(frozen=True)
class Mixture:
    """A row of ``base`` plus attention's sums, per head, of the values of a small table.

    Row ``r`` of head ``h`` is ``values[h, r] @ weight[h]``. The factors are kept apart, so that
    a linear map applies to the weights, which have fewer rows than the values. The pattern
    reads the ``base`` rows first and then the heads' rows, one head after the other.
    """

    weights: Float[Tensor, "row term"]
    base: Float[Tensor, "query width"]
    values: Float[Tensor, "head entry d_head"]
    weight: Float[Tensor, "head d_head width"]
    pattern: Pattern

    def project(self, weight: Float[Tensor, "width out"]) -> "Mixture":
        return Mixture(
            self.weights, self.base @ weight, self.values, self.weight @ weight, self.pattern
        )

    def dense(self) -> Float[Tensor, "row width"]:
        table = torch.cat([self.base, (self.values @ self.weight).flatten(end_dim=1)])
        return mix(self.weights, table, self.pattern)


Term = Dense | Product | Mixture


@dataclass(frozen=True)
class Stream:
    """A sum of terms [row, width]."""

    terms: tuple[Term, ...]

    def __add__(self, term: Term) -> "Stream":
        return Stream((*self.terms, term))

    def project(self, weight: Float[Tensor, "width out"]) -> "Stream":
        return Stream(tuple(term.project(weight) for term in self.terms))

    def multiplied_out(self) -> "Stream":
        """The same sum as one matrix, for a stream that is read more than once."""
        return Stream((Dense(self.dense()),))

    def dense(self) -> Float[Tensor, "row width"]:
        total, *rest = self.terms
        matrix = total.dense()
        for term in rest:
            if isinstance(term, Product):
                matrix = torch.addmm(matrix, term.left, term.right)
            else:
                matrix = matrix + term.dense()
        return matrix
