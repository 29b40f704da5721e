"""The activations of the MLPs, by TransformerLens's names."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mitool.settings import Activation


class _ReLU(torch.autograd.Function):
    """ReLU in place, forward and backward: both its input and the gradient of its output, which
    a product has just made, belong to it alone.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x.relu_())
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward.grad_input(grad, output, 0, grad_input=grad)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": _ReLU.apply,
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "solu": lambda x: x * x.softmax(dim=-1),
}
