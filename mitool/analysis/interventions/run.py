"""A model's run over inputs of one length, every activation kept."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.interventions.decoder import Decoder, Read


@dataclass(frozen=True)
class LayerRun:
    """The activations of one block, by TransformerLens's names.

    ``q`` and ``k`` are as they are projected: before any norm of their own and before they are
    turned by their positions. ``met_k`` are the keys as queries meet them.
    """

    resid_pre: Float[Tensor, "pair pos d_model"]
    q: Float[Tensor, "pair head pos d_head"]
    k: Float[Tensor, "pair kv_head pos d_head"]
    v: Float[Tensor, "pair kv_head pos d_head"]
    met_k: Float[Tensor, "pair kv_head pos d_head"]
    pattern: Float[Tensor, "pair head query key"]
    z: Float[Tensor, "pair head pos d_head"]
    attn_out: Float[Tensor, "pair pos d_model"]
    mlp_out: Float[Tensor, "pair pos d_model"]

    @property
    def resid_mid(self) -> Float[Tensor, "pair pos d_model"]:
        """Behind attention; in a block whose MLP reads beside attention, what the two would meet
        at if attention came first.
        """
        return self.resid_pre + self.attn_out

    @cached_property
    def resid_post(self) -> Float[Tensor, "pair pos d_model"]:
        return self.resid_mid + self.mlp_out


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        read: what came before the first block.
        logits: at the answer positions.
    """

    read: Read
    layers: tuple[LayerRun, ...]
    logits: Float[Tensor, "pair answer d_vocab_out"]

    def resid_pre(self, layer: int) -> Float[Tensor, "pair pos d_model"]:
        """Before a block, or behind the last one."""
        if layer == len(self.layers):
            return self.layers[-1].resid_post
        return self.layers[layer].resid_pre

    @property
    def n_positions(self) -> int:
        return self.read.resid_pre.shape[1]


@torch.no_grad()
def run(
    decoder: Decoder,
    tokens: Int[Tensor, "pair pos"],
    positions: tuple[int, ...],
    like: Run | None = None,
) -> Run:
    """Run a model and keep everything.

    Args:
        positions: where logits are kept.
        like: a run over other tokens in as many positions, held against the bridge's already.

    Raises:
        InputError: the model is not the sum of its parts, or its outputs are not finite.
    """
    read = decoder.read(tokens, positions, None if like is None else like.read)
    x, layers = read.resid_pre, []
    for layer in range(decoder.n_layers):
        layers.append(_layer_run(decoder, layer, x, read))
        x = layers[-1].resid_post
    logits = decoder.unembed(x[:, list(positions)])
    decoder.require_same(logits, read)
    return Run(read, tuple(layers), logits)


def _layer_run(
    decoder: Decoder, layer: int, x: Float[Tensor, "pair pos d_model"], read: Read
) -> LayerRun:
    own = decoder.layers[layer]
    normed = own.ln1(x)
    q, k, v = own.q(normed), own.k(normed), own.v(normed)
    met_q, met_k = decoder.meet(layer, q, read, "q"), decoder.meet(layer, k, read, "k")
    everywhere = torch.arange(x.shape[1], device=x.device)
    pattern = decoder.pattern(layer, met_q, decoder.shared(met_k), everywhere)
    z = pattern @ decoder.shared(v)
    attn_out = own.write(z)
    mlp_out = own.mlp_out(x if decoder.is_parallel else x + attn_out)
    return LayerRun(x, q, k, v, met_k, pattern, z, attn_out, mlp_out)
