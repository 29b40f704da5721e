"""Sums of products that are not yet multiplied out have the values of the plain sums."""

import pytest
import torch
from torch import Tensor

from mitool.models.mixing import Pattern
from mitool.models.residual import Dense, Mixture, Product, Stream, Term


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def mixture(width: int) -> tuple[Mixture, Tensor]:
    """Four rows that each read one of 2 base rows and 3 rows of each of 2 heads; and their sum."""
    torch.manual_seed(1)
    weights, base = random(4, 4), random(2, width)
    values, weight = random(2, 3, 5), random(2, 5, width)
    index = torch.tensor([[0, 2, 5, 7], [1, 3, 3, 5], [1, 4, 2, 6], [0, 4, 4, 4]])
    table = torch.cat([base, values[0] @ weight[0], values[1] @ weight[1]])
    total = torch.stack([w @ table[rows] for w, rows in zip(weights, index, strict=True)])
    return Mixture(weights, base, values, weight, Pattern(index, 8)), total


@pytest.mark.parametrize(
    ("rows", "inner", "width", "out", "associates"),
    [(100, 3, 4, 5, "right"), (3, 50, 40, 60, "left"), (1, 1, 1, 1, "left")],
)
def test_a_product_is_projected_at_the_cheaper_factor(
    rows: int, inner: int, width: int, out: int, associates: str
) -> None:
    """100x3x4 to 5: right takes 3*5*(4+100) = 1560 multiplications, left 100*4*(3+5) = 3200."""
    torch.manual_seed(0)
    left, right, weight = random(rows, inner), random(inner, width), random(width, out)
    projected = Product(left, right).project(weight)
    kept = projected.left if associates == "right" else projected.right
    assert kept is (left if associates == "right" else weight)
    torch.testing.assert_close(projected.dense(), left @ right @ weight, rtol=1e-12, atol=1e-12)


def test_a_dense_term_is_its_matrix() -> None:
    matrix, weight = random(3, 4), random(4, 2)
    assert Dense(matrix).dense() is matrix
    assert torch.equal(Dense(matrix).project(weight).dense(), matrix @ weight)


def test_a_mixture_is_the_sum_of_the_rows_it_reads() -> None:
    term, total = mixture(width=6)
    torch.testing.assert_close(term.dense(), total, rtol=1e-12, atol=1e-12)
    weight = random(6, 3)
    torch.testing.assert_close(term.project(weight).dense(), total @ weight, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 1, 0], [3, 2, 0, 1]])
def test_a_stream_is_the_plain_sum_of_its_terms(order: list[int]) -> None:
    """A matrix, a row that stands for all, a product and a mixture, in any order."""
    term, mixed = mixture(width=6)
    matrix, row, left, right = random(4, 6), random(1, 6), random(4, 2), random(2, 6)
    terms: list[Term] = [Dense(matrix), Dense(row), Product(left, right), term]
    stream = Stream((terms[order[0]],))
    for place in order[1:]:
        stream = stream + terms[place]
    total, weight = matrix + row + left @ right + mixed, random(6, 5)
    torch.testing.assert_close(stream.dense(), total, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        stream.project(weight).dense(), total @ weight, rtol=1e-12, atol=1e-12
    )
