"""The parts of a toy transformer, taken straight from its weights."""

from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.models.decoder.attention import Projection
from mitool.models.decoder.decoder import Decoder, Unembedding
from mitool.models.decoder.layer import Layer
from mitool.models.decoder.norm import Norm
from mitool.models.decoder.original import HeadPatch, Observed, Tables
from mitool.models.features import EPS
from mitool.models.layers import MLP
from mitool.models.layers import Norm as ToyNorm
from mitool.models.shape import ModelShape
from mitool.models.transformer import Block, ToyTransformer


@dataclass(frozen=True)
class ToyOriginal:
    """A toy transformer as what its parts are held against: the training engine's forward pass."""

    model: ToyTransformer

    @property
    def name(self) -> str:
        return type(self.model).__name__

    @property
    def device(self) -> torch.device:
        return self.model.embed.W_E.device

    @torch.no_grad()
    def embed(self, tokens: Int[Tensor, "example pos"]) -> Float[Tensor, "example pos d_model"]:
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return self.model.embedded(tokens, positions.expand_as(tokens))

    def embeddings(
        self,
    ) -> tuple[Float[Tensor, "d_vocab d_model"], Float[Tensor, "n_ctx d_model"] | None]:
        W_pos = self.model.pos_embed.W_pos.detach()
        return self.model.embed.W_E.detach(), W_pos if W_pos.any() else None

    @torch.no_grad()
    def observe(self, tokens: Int[Tensor, "example pos"], positions: tuple[int, ...]) -> Observed:
        logits = self.model.logits(tokens, positions)
        return Observed(logits, Tables.empty(self.model.cfg.n_layers))

    def patched(
        self,
        tokens: Int[Tensor, "example pos"],
        positions: tuple[int, ...],
        patches: list[HeadPatch],
    ) -> None:
        """The engine computes no more than it needs: there is nothing to put another z into."""


def shape_of_toy(model: ToyTransformer) -> ModelShape:
    """The sizes of a toy transformer."""
    cfg = model.cfg
    same = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "d_vocab", "d_vocab_out", "n_ctx")
    sizes = {name: getattr(cfg, name) for name in same}
    return ModelShape(type(model).__name__, n_key_value_heads=cfg.n_heads, **sizes)


def toy_decoder(model: ToyTransformer) -> Decoder:
    """The parts of a toy transformer, which share its weights."""
    cfg = model.cfg
    layers = tuple(_layer(block) for block in cast("list[Block]", list(model.blocks)))
    unembed = model.unembed
    return Decoder(
        shape=shape_of_toy(model),
        layers=layers,
        unembed=Unembedding(
            _norm(model.ln_final), unembed.W_U.detach().T.contiguous(), unembed.b_U.detach()
        ),
        original=ToyOriginal(model),
        is_causal=cfg.attention_dir == "causal",
    )


def _layer(block: Block) -> Layer:
    attn = block.attn
    return Layer(
        ln1=_norm(block.ln1),
        q=_projection(attn.W_Q, attn.b_Q),
        k=_projection(attn.W_K, attn.b_K),
        v=_projection(attn.W_V, attn.b_V),
        W_O=attn.W_O.detach(),
        b_O=attn.b_O.detach(),
        scale=attn.W_Q.shape[-1] ** -0.5,
        ln2=Norm() if block.mlp is None else _norm(block.ln2),
        mlp=None if block.mlp is None else partial(_mlp, block.mlp),
    )


def _norm(norm: ToyNorm) -> Norm:
    if norm.is_identity:
        return Norm()
    has_weight, has_mean = norm.kind in ("LN", "RMS"), norm.kind in ("LN", "LNPre")
    return Norm(
        kind="LN" if has_mean else "RMS",
        weight=norm.w.detach() if has_weight else None,
        bias=norm.b.detach() if norm.kind == "LN" else None,
        eps=EPS,
    )


def _projection(
    weight: Float[Tensor, "head d_model d_head"], bias: Float[Tensor, "head d_head"]
) -> Projection:
    flat = weight.detach().transpose(0, 1).flatten(1).contiguous()
    return Projection(flat, bias.detach().flatten(), len(weight))


def _mlp(mlp: MLP, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
    """What an MLP makes of what its norm lets through."""
    hidden = mlp.act(x @ mlp.W_in + mlp.b_in)
    return hidden @ mlp.W_out + mlp.b_out
