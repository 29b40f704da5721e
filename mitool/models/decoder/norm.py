"""Norms of the residual stream, and the linear maps that they are once their scale is known."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

NormKind = Literal["none", "LN", "RMS"]


@dataclass(frozen=True)
class Norm:
    """A norm over the width of what it reads: ``linear(x) / scale(x) + bias``.

    Attributes:
        kind: ``LN`` takes the mean out and divides by the standard deviation, ``RMS`` divides by
            the root of the mean square, ``none`` leaves everything as it is.
        weight: what the result is multiplied by; None: nothing. Where a model stores its weight
            less one, this is the weight itself.
        bias: what is added at the end; None: nothing.
        eps: what is added to the variance, or to the mean square, before the root.
    """

    kind: NormKind = "none"
    weight: Float[Tensor, " width"] | None = None
    bias: Float[Tensor, " width"] | None = None
    eps: float = 0.0

    def __call__(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        match self.kind:
            case "LN":
                return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)
            case "RMS":
                normed = F.rms_norm(x, x.shape[-1:], self.weight, self.eps)
                return normed if self.bias is None else normed + self.bias
        return x

    @property
    def is_identity(self) -> bool:
        return self.kind == "none"

    def scale(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows 1"]:
        """What the norm divides ``x`` by."""
        if self.kind == "none":
            return x.new_ones(*x.shape[:-1], 1)
        centred = self.centred(x)
        return (centred.square().mean(dim=-1, keepdim=True) + self.eps).sqrt()

    def centred(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        """``x`` less its mean, where the norm takes that out."""
        return x - x.mean(dim=-1, keepdim=True) if self.kind == "LN" else x

    def linear(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        """The norm without its scale and its bias: a linear map of ``x``."""
        centred = self.centred(x)
        return centred if self.weight is None else centred * self.weight

    def transposed(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        """The transpose of ``linear``: what a direction after the norm is before it."""
        weighted = x if self.weight is None else x * self.weight
        return self.centred(weighted)

    def constant(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        """The norm's bias, in the shape of ``x``."""
        return torch.zeros_like(x) if self.bias is None else self.bias.expand_as(x)
