"""Sums over the rows of a table, against a loop and against numerical gradients."""

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from mitool.models.mixing import Pattern, look_up, mix

PATTERNS = {
    "plain": ([[0, 1], [2, 3], [1, 3]], 4),
    "repeated rows within a sum": ([[0, 0, 2], [1, 2, 1], [2, 2, 2]], 3),
    "unread rows": ([[5, 1], [1, 5]], 7),
    "a table of one row": ([[0, 0], [0, 0], [0, 0]], 1),
    "one sum": ([[2, 0, 2]], 3),
    "one term": ([[1], [0], [1]], 2),
    "one sum of one term": ([[0]], 1),
}
every_pattern = pytest.mark.parametrize(("index", "n_rows"), PATTERNS.values(), ids=PATTERNS.keys())


def random(*shape: int) -> Tensor:
    torch.manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def loop(weights: Tensor, table: Tensor, index: list[list[int]]) -> Tensor:
    sums = []
    for n, rows in enumerate(index):
        total = torch.zeros(table.shape[1], dtype=table.dtype)
        for k, row in enumerate(rows):
            total = total + weights[n, k] * table[row]
        sums.append(total)
    return torch.stack(sums)


@every_pattern
def test_mix_is_the_loop(index: list[list[int]], n_rows: int) -> None:
    weights, table = random(len(index), len(index[0])), random(n_rows, 3)
    pattern = Pattern(torch.tensor(index), n_rows)
    sums, expected = mix(weights, table, pattern), loop(weights, table, index)
    torch.testing.assert_close(sums, expected, rtol=1e-14, atol=1e-14)
    found = torch.autograd.grad(sums.square().sum(), (weights, table))
    grads = torch.autograd.grad(expected.square().sum(), (weights, table))
    for ours, theirs in zip(found, grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


@every_pattern
def test_mix_s_gradients_are_the_numerical_ones(index: list[list[int]], n_rows: int) -> None:
    weights, table = random(len(index), len(index[0])), random(n_rows, 3)
    pattern = Pattern(torch.tensor(index), n_rows)
    assert torch.autograd.gradcheck(lambda w, t: mix(w, t, pattern), (weights, table))
    assert torch.autograd.gradcheck(lambda t: mix(weights.detach(), t, pattern), (table,))


@pytest.mark.parametrize("rows", [[3, 0, 3, 1], [0], [2, 2, 2]])
def test_look_up_is_indexing(rows: list[int]) -> None:
    table = random(4, 3)
    pattern = Pattern(torch.tensor(rows)[:, None], 4)
    assert torch.equal(look_up(table, pattern), table[rows])
    assert torch.autograd.gradcheck(lambda t: look_up(t, pattern), (table,))


def test_the_gradient_of_an_unread_row_is_0() -> None:
    table, weights = random(5, 2), random(3, 2)
    pattern = Pattern(torch.tensor([[0, 3], [3, 3], [0, 0]]), 5)
    (grad,) = torch.autograd.grad(mix(weights, table, pattern).sum(), table)
    assert grad[[1, 2, 4]].eq(0).all()
    assert grad[[0, 3]].ne(0).all()
    (grad,) = torch.autograd.grad(look_up(table, Pattern(torch.tensor([[3]]), 5)).sum(), table)
    assert torch.equal(grad, torch.eye(5, dtype=torch.float64)[:, 3:4].expand(5, 2))


def test_an_incoming_gradient_may_be_a_view() -> None:
    """Autograd hands over gradients that are not contiguous: expanded, or transposed."""
    weights, table, index = random(3, 2), random(4, 3), [[0, 1], [2, 3], [1, 3]]
    pattern, one = Pattern(torch.tensor(index), 4), torch.ones((), dtype=torch.float64)
    for incoming in (one.expand(3, 3), random(3, 3).detach().T):
        found = torch.autograd.grad(mix(weights, table, pattern), (weights, table), incoming)
        grads = torch.autograd.grad(loop(weights, table, index), (weights, table), incoming)
        for ours, theirs in zip(found, grads, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)


def test_shapes_are_checked_while_the_tests_run() -> None:
    with pytest.raises(TypeCheckError):
        look_up(torch.zeros(3), Pattern(torch.tensor([[0]]), 3))
