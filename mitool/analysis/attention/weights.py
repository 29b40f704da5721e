"""The weights that a model's heads read and write through, with its norms folded into them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

EXACT_VOCABULARY = 4096
"""Above this many tokens the weights are kept in float32."""


@dataclass(frozen=True)
class Weights:
    """Embedding, heads and unembedding, in float64 (of a large vocabulary in float32).

    What reads the residual stream behind a norm (``W_Q``, ``W_K``, ``W_V``, ``W_U``) has the norm's
    weight multiplied in, and the mean removed where the norm removes it, so that only the norm's
    scale, one number for each token, is left out. Biases are left out too. Heads that share keys
    and values (grouped queries) have a copy each. Rotary positions are left out: a query and a key
    meet as if they stood at one position.
    """

    W_E: Float[Tensor, "d_vocab d_model"]
    W_pos: Float[Tensor, "n_ctx d_model"] | None
    W_Q: Float[Tensor, "layer head d_model d_head"]
    W_K: Float[Tensor, "layer head d_model d_head"]
    W_V: Float[Tensor, "layer head d_model d_head"]
    W_O: Float[Tensor, "layer head d_head d_model"]
    W_U: Float[Tensor, "d_model d_vocab_out"]

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
def weights_of(bridge: TransformerBridge) -> Weights:
    """The weights of any model that TransformerLens bridges to."""
    dtype = torch.float64 if bridge.cfg.d_vocab <= EXACT_VOCABULARY else torch.float32
    held = {name: weight.detach().to(dtype) for name, weight in bridge.tl_parameters().items()}
    removes_mean = str(bridge.cfg.normalization_type).startswith("LN")

    def stacked(name: str, *, is_read: bool) -> Tensor:
        layers = []
        for layer in range(bridge.cfg.n_layers):
            weight = held[f"blocks.{layer}.attn.{name}"]
            norm = f"blocks.{layer}.ln1"
            layers.append(_folded(weight, held, norm, removes_mean) if is_read else weight)
        return torch.stack(layers)

    W_pos = held.get("pos_embed.W_pos")
    return Weights(
        W_E=held["embed.W_E"],
        W_pos=W_pos if W_pos is not None and W_pos.any() else None,
        W_Q=stacked("W_Q", is_read=True),
        W_K=stacked("W_K", is_read=True),
        W_V=stacked("W_V", is_read=True),
        W_O=stacked("W_O", is_read=False),
        W_U=_folded(held["unembed.W_U"], held, "ln_final", removes_mean),
    )


def _folded(
    weight: Float[Tensor, "*head d_model out"],
    held: Mapping[str, Tensor],
    norm: str,
    removes_mean: bool,
) -> Float[Tensor, "*head d_model out"]:
    """``weight`` applied behind the norm: its weight first, then the mean that it removes."""
    if f"{norm}.w" in held:
        weight = held[f"{norm}.w"][:, None] * weight
    return weight - weight.mean(dim=-2, keepdim=True) if removes_mean else weight
