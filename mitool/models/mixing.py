"""Weighted sums of the rows of a table: a product with a sparse matrix of fixed pattern.

``mix(weights, table, pattern)[n] = sum_k weights[n, k] table[pattern.index[n, k]]``, which is
how attention reads a table of values. Where the table has few rows, a linear map of the sums is
the sums of the mapped table, so the map costs as many products as the table has rows.
"""

import warnings
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


class Pattern:
    """Which rows of a table each sum reads; fixed, so its transpose is worked out once."""

    def __init__(self, index: Int[Tensor, "sum term"], n_rows: int) -> None:
        self.index = index
        self.n_rows = n_rows
        self._zeros: dict[torch.dtype, Tensor] = {}

    @cached_property
    def order(self) -> Int[Tensor, " entry"]:
        """The entries sorted by the row they read."""
        return torch.argsort(self.index.flatten(), stable=True)

    @cached_property
    def readers(self) -> Int[Tensor, " entry"]:
        """The sum that each entry of ``order`` belongs to."""
        return self.order // self.index.shape[1]

    @cached_property
    def row_starts(self) -> Int[Tensor, " row_plus_1"]:
        """Where the entries of each row begin in ``order``."""
        counts = torch.bincount(self.index.flatten(), minlength=self.n_rows)
        return F.pad(counts.cumsum(0), (1, 0))

    @cached_property
    def sum_starts(self) -> Int[Tensor, " sum_plus_1"]:
        """Where the entries of each sum begin in the flattened ``index``."""
        n_sums, n_terms = self.index.shape
        return torch.arange(0, n_sums * n_terms + 1, n_terms, device=self.index.device)

    def zeros(self, dtype: torch.dtype) -> Tensor:
        """A sparse matrix [sum, row] of zeros at the entries."""
        if dtype not in self._zeros:
            _pass_beta_warning()
            self._zeros[dtype] = torch.sparse_csr_tensor(
                self.sum_starts,
                self.index.flatten(),
                torch.zeros(self.index.numel(), dtype=dtype, device=self.index.device),
                size=(len(self.index), self.n_rows),
                check_invariants=False,
            )
        return self._zeros[dtype]


def mix(
    weights: Float[Tensor, "sum term"],
    table: Float[Tensor, "row width"],
    pattern: Pattern,
) -> Float[Tensor, "sum width"]:
    """Sum rows of ``table`` as ``pattern`` says, differentiably in both arguments."""
    apply: Callable[..., Tensor] = _Mix.apply  # which torch does not type
    return apply(weights, table, pattern)


def look_up(table: Float[Tensor, "row width"], pattern: Pattern) -> Float[Tensor, "sum width"]:
    """Rows of ``table`` by the one term of each sum of ``pattern``, differentiably.

    The backward pass of ``F.embedding`` is four times slower where rows are narrow.
    """
    apply: Callable[..., Tensor] = _LookUp.apply
    return apply(table, pattern)


class _LookUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, pattern: Pattern) -> Tensor:
        ctx.pattern = pattern
        return F.embedding(pattern.index[:, 0], table)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _sum_by_row(grad, ctx.pattern, None), None


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, table: Tensor, pattern: Pattern) -> Tensor:
        ctx.save_for_backward(weights, table)
        ctx.pattern = pattern
        return _row_sums(table, pattern.index.flatten(), pattern.sum_starts, weights.flatten())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        weights, table = ctx.saved_tensors
        pattern, grad = ctx.pattern, grad.contiguous()
        grad_weights = _sampled_product(grad, table, pattern) if ctx.needs_input_grad[0] else None
        grad_table = _sum_by_row(grad, pattern, weights.flatten().index_select(0, pattern.order))
        return grad_weights, grad_table, None


def _sum_by_row(
    grad: Float[Tensor, "sum width"],
    pattern: Pattern,
    weights: Float[Tensor, " entry"] | None,
) -> Float[Tensor, "row width"]:
    """For each row of the table, the (weighted) sum of the gradients of the sums that read it."""
    return _row_sums(grad.contiguous(), pattern.readers, pattern.row_starts, weights)


def _row_sums(
    table: Float[Tensor, "row width"],
    index: Int[Tensor, " entry"],
    starts: Int[Tensor, " sum_plus_1"],
    weights: Float[Tensor, " entry"] | None,
) -> Float[Tensor, "sum width"]:
    """Sum the rows that ``index`` lists, from one of ``starts`` to the next."""
    return F.embedding_bag(
        index,
        table.detach(),  # embedding_bag would prepare for a gradient of its own
        starts,
        per_sample_weights=None if weights is None else weights.detach(),
        mode="sum",
        include_last_offset=True,
    )


def _sampled_product(
    grad: Float[Tensor, "sum width"], table: Float[Tensor, "row width"], pattern: Pattern
) -> Float[Tensor, "sum term"]:
    """``grad[n] . table[index[n, k]]``: the entries of a product that the pattern keeps."""
    if pattern.index.shape[1] > pattern.n_rows:  # more entries than sampled_addmm has room for
        return torch.einsum("sw,stw->st", grad, table[pattern.index])
    product = torch.sparse.sampled_addmm(pattern.zeros(grad.dtype), grad, table.T, beta=0.0)
    return product.values().view_as(pattern.index)


@cache
def _pass_beta_warning() -> None:
    """Have torch's one warning that its sparse tensors are in beta behind us, unseen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        torch.sparse_csr_tensor([0, 0], [], [], size=(1, 1), check_invariants=False)
