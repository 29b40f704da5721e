"""What heads make of one token by itself: the scores of a context of that token alone."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.models.decoder import Decoder, Layer, Letter, Norm, Projection
from mitool.models.decoder.attention import Rotation

Part = TypeVar("Part")


@dataclass(frozen=True)
class OneTokenContexts:
    """Queries, keys and values of each token of a stream that holds its embedding alone.

    All that the model does to them is done: norms with their scales, those of the stream itself
    before the layer among them, biases, norms of queries and keys, clipping. Positions embedded
    apart are left out; rotary ones are those of one position.

    Args:
        W_E: what each token is embedded as.
    """

    decoder: Decoder
    W_E: Float[Tensor, "d_vocab d_model"]
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @torch.no_grad()
    def taken(
        self, layer: int, head: int, letter: Letter, tokens: Tensor | None = None
    ) -> Float[Tensor, "token d_head"]:
        """A head's queries, keys or values of tokens (of all), as attention takes them."""
        own, n_heads = self._layer(layer), self.decoder.n_heads
        normed = self._normed(layer) if tokens is None else self._read(layer, self.W_E[tokens])
        projection: Projection = getattr(own, letter)
        which = head * projection.n_heads // n_heads
        rotation = self._rotation(layer, len(normed))
        if own.norms_span_heads:
            return own.taken(letter, projection(normed), rotation, projection.n_heads)[which]
        bias = projection.bias.view(projection.n_heads, -1)[which]
        found = (normed @ projection.by_head[which] + bias)[None]
        return own.taken(letter, found, rotation, projection.n_heads, [which])[0]

    @torch.no_grad()
    def values_cut(self, layer: int) -> float:
        """The share of the tokens for which numbers of some head's value are cut (``clip``)."""
        clip = self.decoder.layers[layer].clip
        if clip is None:
            return 0.0
        values = self._layer(layer).v(self._normed(layer))
        return (values.abs() > clip).any(dim=-1).any(dim=0).double().mean().item()

    def scale(self, layer: int) -> float:
        return self.decoder.layers[layer].scale

    def soft_cap(self, layer: int) -> float | None:
        return self.decoder.layers[layer].soft_cap

    def _normed(self, layer: int) -> Float[Tensor, "d_vocab d_model"]:
        """What attention reads of every token; kept for the heads of one layer."""
        if self._kept.get("layer") != layer:
            self._kept["layer"], self._kept["normed"] = layer, self._read(layer, self.W_E)
        return self._kept["normed"]

    def _read(
        self, layer: int, embedded: Float[Tensor, "token d_model"]
    ) -> Float[Tensor, "token d_model"]:
        """What attention reads of tokens that are embedded so."""
        stream = embedded
        for norm in (*self.decoder.stream_norms(0, layer), self.decoder.layers[layer].ln1):
            stream = _converted(norm, stream)(stream)
        return stream

    def _layer(self, layer: int) -> Layer:
        """A layer whose queries, keys and values are in the format of the embedding, without its
        MLP.
        """
        own = self.decoder.layers[layer]
        parts = {name: _converted(getattr(own, name), self.W_E) for name in ("q", "k", "v")}
        norms = {name: _converted(getattr(own, name), self.W_E) for name in ("q_norm", "k_norm")}
        return replace(own, **parts, **norms, ln2=Norm(), mlp=None)

    def _rotation(self, layer: int, n: int) -> Rotation | None:
        """What the first position does to queries and keys, for each of so many tokens."""
        tables = self._rotations[layer]
        if tables is None:
            return None
        cos, sin = (table[:1].to(self.W_E).expand(n, -1) for table in tables)
        return Rotation(cos, sin, self.decoder.interleaves)

    @cached_property
    def _rotations(self) -> tuple[tuple[Tensor, Tensor] | None, ...]:
        one = torch.zeros(1, 1, dtype=torch.int64, device=self.decoder.device)
        return self.decoder.original.observe(one, (0,)).tables.rotations


def _converted(part: Part, like: Tensor) -> Part:
    """A part with its tensors in another's format."""
    if not is_dataclass(part) or isinstance(part, type):
        return part
    held = {field.name: getattr(part, field.name) for field in fields(part)}
    tensors = {name: value.to(like) for name, value in held.items() if isinstance(value, Tensor)}
    return replace(part, **tensors)
