"""Attention's parts: the maps to queries, keys and values, and the norms of these."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Letter = Literal["q", "k", "v"]
"""The inputs of a head."""

Heads = slice | Sequence[int]
"""Some of a layer's heads."""

EVERY_HEAD = slice(None)


@dataclass(frozen=True)
class Projection:
    """The linear map to the queries, keys or values of all heads of a layer."""

    weight: Float[Tensor, "d_model all_heads"]
    bias: Float[Tensor, " all_heads"]
    n_heads: int

    def __call__(
        self, x: Float[Tensor, "*batch pos d_model"]
    ) -> Float[Tensor, "*batch head pos d_head"]:
        return (x @ self.weight + self.bias).unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)

    def of_heads(
        self,
        heads: Sequence[int],
        x: Float[Tensor, "variant head pair pos d_model"],
        n_heads: int,
    ) -> Float[Tensor, "variant head pair pos d_head"]:
        """Of some heads alone, each with an input of its own.

        Args:
            n_heads: of the layer; where they share keys and values, more than this projects to.
        """
        own = [head * self.n_heads // n_heads for head in heads]
        bias = self.bias.view(self.n_heads, 1, -1)[own]
        return (x.flatten(2, 3) @ self.by_head[own] + bias).unflatten(2, x.shape[2:4])

    @property
    def by_head(self) -> Float[Tensor, "own_head d_model d_head"]:
        """The weight of each head that it projects to."""
        return self.weight.unflatten(-1, (self.n_heads, -1)).transpose(0, 1)


@dataclass(frozen=True)
class HeadNorm:
    """A norm of queries or keys.

    Attributes:
        removes_mean: whether the mean is taken out (LayerNorm), or not (RMSNorm).
        weight: of each head that is projected to, or of one for all of them.
        bias: likewise.
        spans_heads: whether one scale is taken over all heads together, as in OLMo 2.
    """

    removes_mean: bool
    weight: Float[Tensor, "one_or_own_heads 1 d_head"]
    bias: Float[Tensor, "one_or_own_heads 1 d_head"] | None
    eps: float
    spans_heads: bool

    def __call__(
        self,
        x: Float[Tensor, "*batch some_heads pos d_head"],
        n_heads: int,
        heads: Heads = EVERY_HEAD,
    ) -> Float[Tensor, "*batch some_heads pos d_head"]:
        """Queries or keys after the norm.

        Args:
            x: of all heads that are projected to, or a copy for each head of the layer, or of
                ``heads`` alone. A norm that spans heads is given all of them.
            n_heads: how many heads ``heads`` are chosen from: as many as are projected to, or as
                the layer has.
        """
        x = self._centred(x)
        scale = (x.square().mean(dim=self._over, keepdim=True) + self.eps).sqrt()
        found = x / scale * self._of(self.weight, n_heads, heads)
        return found if self.bias is None else found + self._of(self.bias, n_heads, heads)

    def linear(
        self, x: Float[Tensor, "own_head rows d_head"]
    ) -> Float[Tensor, "own_head rows d_head"]:
        """The norm without its scale and its bias, of all heads that are projected to: a linear map
        of ``x``.
        """
        return self._centred(x) * self.weight

    @property
    def _over(self) -> tuple[int, ...]:
        """The axes that one mean and one scale are taken over."""
        return (-3, -1) if self.spans_heads else (-1,)

    def _centred(
        self, x: Float[Tensor, "*batch some_heads pos d_head"]
    ) -> Float[Tensor, "*batch some_heads pos d_head"]:
        return x - x.mean(dim=self._over, keepdim=True) if self.removes_mean else x

    @staticmethod
    def _of(values: Tensor, n_heads: int, heads: Heads) -> Tensor:
        if len(values) == 1:
            return values
        return values.repeat_interleave(n_heads // len(values), dim=0)[heads]


@dataclass(frozen=True)
class Rotation:
    """How positions turn queries and keys (Su et al. 2021, arXiv 2104.09864).

    Attributes:
        cos: the cosines of each position, as wide as what is turned.
        sin: the sines.
        interleaved: whether each dimension is turned with its neighbour, or with the one half of
            them away.
    """

    cos: Float[Tensor, "pos rotary"]
    sin: Float[Tensor, "pos rotary"]
    interleaved: bool = False

    def __call__(self, x: Float[Tensor, "*batch pos d_head"]) -> Float[Tensor, "*batch pos d_head"]:
        """Queries or keys of these positions, turned."""
        return apply_rotary(x, self.cos, self.sin, interleaved=self.interleaved)


def apply_rotary(
    x: Float[Tensor, "*batch pos d_head"],
    cos: Float[Tensor, "pos rotary"],
    sin: Float[Tensor, "pos rotary"],
    *,
    interleaved: bool,
) -> Float[Tensor, "*batch pos d_head"]:
    """Queries or keys turned by their positions.

    The first ``rotary`` dimensions are turned in planes, by the angle of each: dimension i with
    the one half of them away, or, interleaved, each with its neighbour.
    """
    turned, kept = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    if interleaved:
        across = torch.stack([-turned[..., 1::2], turned[..., ::2]], dim=-1).flatten(-2)
    else:
        first, second = turned.chunk(2, dim=-1)
        across = torch.cat([-second, first], dim=-1)
    return torch.cat([turned * cos + across * sin, kept], dim=-1)
