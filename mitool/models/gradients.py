"""Gradients that are known at a tensor, taken back to what it was computed from."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, out: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return out.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient, None


def with_gradient(
    out: Float[Tensor, "*shape"], gradient: Float[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    """A scalar whose derivative by ``out`` is ``gradient``.

    Its ``backward()`` is that of ``out.backward(gradient)``, to the bit; but given a gradient torch
    loads its compiler and sympy to compare two shapes, which takes half a second.
    """
    apply: Any = _Known.apply
    return apply(out, gradient)
