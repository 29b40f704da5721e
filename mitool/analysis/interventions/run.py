"""A model's run over inputs of one length, every activation kept."""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.interventions.agreement import parts_that_fit, require_same
from mitool.models.decoder import Decoder, Read, Tables


@dataclass(frozen=True)
class LayerRun:
    """The activations of one block, by TransformerLens's names.

    ``q``, ``k`` and ``v`` are as they are projected: before any norm of their own and before they
    are turned by their positions. ``rot_k`` and ``used_v`` are the keys and values as attention
    takes them. ``z_written`` is what heads write linearly, by ``Layer.W_write``: ``z``, or where
    there is a norm after attention ``z`` over that norm's scale. In a block whose MLP reads beside
    attention ``resid_mid`` is what the two would meet at if attention came first.
    """

    resid_pre: Float[Tensor, "pair pos d_model"]
    q: Float[Tensor, "pair head pos d_head"]
    k: Float[Tensor, "pair kv_head pos d_head"]
    v: Float[Tensor, "pair kv_head pos d_head"]
    rot_k: Float[Tensor, "pair kv_head pos d_head"]
    used_v: Float[Tensor, "pair kv_head pos d_head"]
    pattern: Float[Tensor, "pair head query key"]
    z: Float[Tensor, "pair head pos d_head"]
    z_written: Float[Tensor, "pair head pos d_head"]
    attn_out: Float[Tensor, "pair pos d_model"]
    resid_mid: Float[Tensor, "pair pos d_model"]
    mlp_out: Float[Tensor, "pair pos d_model"]
    resid_post: Float[Tensor, "pair pos d_model"]


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

    def first(self) -> "Run":
        """The run over the first pair alone."""
        layers = tuple(
            LayerRun(*(getattr(layer, each.name)[:1] for each in fields(layer)))
            for layer in self.layers
        )
        read = replace(self.read, resid_pre=self.read.resid_pre[:1], observed=None)
        return Run(read, layers, self.logits[:1])

    def resid_pre(self, layer: int) -> Float[Tensor, "pair pos d_model"]:
        """Before a block, or after the last one."""
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
    tables: Tables | None = None,
) -> Run:
    """Run a model and keep everything.

    Args:
        positions: where logits are kept.
        tables: of as many positions, from a run that was held against the model's own already.

    Raises:
        InputError: the model is not the sum of its parts, or its outputs are not finite.
    """
    read = decoder.read(tokens, positions, tables)
    x, layers = read.resid_pre, []
    with parts_that_fit(decoder, is_first=tables is None):
        for layer in range(decoder.n_layers):
            layers.append(_layer_run(decoder, layer, x, read))
            x = layers[-1].resid_post
        found = Run(read, tuple(layers), decoder.unembed(x[:, list(positions)]))
    require_same(decoder, found)
    return found


def _layer_run(
    decoder: Decoder, layer: int, x: Float[Tensor, "pair pos d_model"], read: Read
) -> LayerRun:
    own, everywhere = decoder.layers[layer], slice(0, x.shape[1])
    normed = own.ln1(x)
    q, k, v = own.q(normed), own.k(normed), own.v(normed)
    rot_q, rot_k = (
        decoder.to_attention(layer, "q", q, read),
        decoder.to_attention(layer, "k", k, read),
    )
    used_v = decoder.to_attention(layer, "v", v, read)
    pattern = decoder.pattern(layer, rot_q, decoder.shared(rot_k), read, everywhere)
    z = pattern @ decoder.shared(used_v)
    attn_out = own.write(z)
    mid = own.after_attention(x, attn_out)
    mlp_out = own.mlp_out(x if decoder.is_parallel else mid)
    post, written = own.after_mlp(mid, mlp_out), own.scaled(z)
    return LayerRun(x, q, k, v, rot_k, used_v, pattern, z, written, attn_out, mid, mlp_out, post)
