"""The weights that a model's heads read and write through, with its norms folded into them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.models.decoder import Decoder, HeadNorm, Norm, Projection

EXACT_VOCABULARY = 4096
"""Above this many tokens the weights are kept in float32."""


@dataclass(frozen=True)
class Weights:
    """Embedding, heads and unembedding, in float64 (of a large vocabulary in float32).

    What reads the residual stream through a norm (``W_Q``, ``W_K``, ``W_V``, ``W_U``) has the
    norm's weight multiplied in, and the mean removed where the norm removes it, so that only the
    norm's scale, one number for each token, is left out; so have ``W_Q`` and ``W_K`` the norms of
    queries and keys, and ``W_O`` the norm after attention and the residual multiplier. Norms of the
    stream itself are folded in likewise, those before a layer into what reads there, the others
    into ``W_O``. Biases are left out too. Heads that share keys and values (grouped queries) have a
    copy each. Rotary positions are left out: a query and a key meet as if they stood at one
    position.

    Attributes:
        W_E: what each token is embedded as, whatever its position.
        W_pos: what each position adds to it; None where that is nothing.
        b_U: what is added to each logit whatever the stream is: by the unembedding's bias and by
            the final norm's. None where that is nothing.
    """

    W_E: Float[Tensor, "d_vocab d_model"]
    W_pos: Float[Tensor, "n_ctx d_model"] | None
    W_Q: Float[Tensor, "layer head d_model d_head"]
    W_K: Float[Tensor, "layer head d_model d_head"]
    W_V: Float[Tensor, "layer head d_model d_head"]
    W_O: Float[Tensor, "layer head d_head d_model"]
    W_U: Float[Tensor, "d_model d_vocab_out"]
    b_U: Float[Tensor, " d_vocab_out"] | None = None

    @cached_property
    def from_unembedding(self) -> Float[Tensor, "d_model d_model"]:
        """``W_U W_E``: from what is written for an output to the embedding of the same token."""
        return self.W_U @ self.W_E[: self.W_U.shape[1]]

    @property
    def heads(self) -> list[tuple[int, int]]:
        """(layer, head) of each head."""
        n_layers, n_heads = self.W_Q.shape[:2]
        return [(layer, head) for layer in range(n_layers) for head in range(n_heads)]


@torch.no_grad()
def weights_of(decoder: Decoder) -> Weights:
    """The weights of a decoder's heads."""
    dtype = exact_format(decoder)
    W_E, W_pos = decoder.original.embeddings()
    read = [_read(decoder, layer, dtype) for layer in range(decoder.n_layers)]
    W_Q, W_K, W_V = (torch.stack(weights) for weights in zip(*read, strict=True))
    norm, unembed = _in_format(decoder.unembed.norm, dtype), decoder.unembed.W_U().to(dtype)
    b_U = decoder.unembed.constant()
    return Weights(
        W_E=W_E.to(dtype),
        W_pos=None if W_pos is None else W_pos.to(dtype),
        W_Q=W_Q,
        W_K=W_K,
        W_V=W_V,
        W_O=torch.stack([_to_the_end(decoder, layer, dtype) for layer in range(decoder.n_layers)]),
        W_U=norm.transposed(unembed.T).T,
        b_U=None if b_U is None else b_U.to(dtype),
    )


def exact_format(decoder: Decoder) -> torch.dtype:
    """The format in which weights are multiplied with each other."""
    return torch.float64 if decoder.shape.d_vocab <= EXACT_VOCABULARY else torch.float32


def _read(decoder: Decoder, layer: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """``W_Q``, ``W_K`` and ``W_V`` with all norms folded in: those of the heads, of what they read,
    and of the stream itself before it.
    """
    own, n_heads = decoder.layers[layer], decoder.n_heads
    norms = [_in_format(norm, dtype) for norm in (*decoder.stream_norms(0, layer), own.ln1)]

    def folded(projection: Projection, of_heads: HeadNorm | None) -> Tensor:
        weight = projection.by_head.to(dtype)
        for norm in reversed(norms):
            weight = norm.transposed(weight.mT).mT
        if of_heads is not None:
            weight = of_heads.linear(weight)
        return weight.repeat_interleave(n_heads // len(weight), dim=0)

    return folded(own.q, own.q_norm), folded(own.k, own.k_norm), folded(own.v, None)


def _to_the_end(
    decoder: Decoder, layer: int, dtype: torch.dtype
) -> Float[Tensor, "head d_head d_model"]:
    """How heads write, as it arrives at the last stream: through norms of the stream itself."""
    weight = decoder.layers[layer].W_write.to(dtype)
    for norm in decoder.stream_norms(layer, decoder.n_layers):
        weight = _in_format(norm, dtype).linear(weight)
    return weight


def _in_format(norm: Norm, dtype: torch.dtype) -> Norm:
    weight = None if norm.weight is None else norm.weight.to(dtype)
    bias = None if norm.bias is None else norm.bias.to(dtype)
    return Norm(norm.kind, weight, bias, norm.eps)
