"""Where the parts of a Hugging Face model are: its own modules, looked up by architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.huggingface.names import PROJECTIONS, Names, Projection, StreamNorm, names_of

__all__ = ["PROJECTIONS", "Block", "Places", "Projection", "places_of"]


@dataclass(frozen=True)
class Block:
    """One block's modules, as ``Names`` says; ``whole`` is the block itself.

    Attributes:
        multiplier: by what writes are multiplied as they are added to the stream.
        columns: the columns of a projection's output that are each head's, [head, d_head]; of
            keys and values the heads are those that there are.
    """

    whole: nn.Module
    attn: nn.Module
    attn_norm: nn.Module | None
    q: nn.Module
    k: nn.Module
    v: nn.Module
    o: nn.Module
    attn_after: nn.Module | None
    mlp_norm: nn.Module | None
    mlp_in: nn.Module | None
    mlp: nn.Module
    mlp_after: nn.Module | None
    parallel: bool
    stream_norms: Mapping[StreamNorm, nn.Module]
    multiplier: float
    columns: Mapping[Projection, Int[Tensor, "head d_head"]]

    @property
    def attn_reads(self) -> nn.Module:
        """The module whose input is the stream that the attention reads."""
        return self.attn_norm or self.q

    @property
    def mlp_reads(self) -> nn.Module:
        """The module whose input is the stream that the MLP reads."""
        return self.mlp_norm or self.mlp_in or self.mlp

    def projection(self, name: Projection) -> nn.Module:
        module = {"q": self.q, "k": self.k, "v": self.v}[name]
        assert isinstance(module, nn.Module)
        return module


@dataclass(frozen=True)
class Places:
    """A model's modules and the sizes of its heads."""

    blocks: tuple[Block, ...]
    final_norm: nn.Module | None
    positions: nn.Module | None
    n_heads: int
    n_key_value_heads: int
    d_head: int


def places_of(model: PreTrainedModel) -> Places:
    """Find a model's modules."""
    names, sizes = names_of(model), _head_sizes(model)
    blocks = model.get_submodule(names.blocks)
    assert isinstance(blocks, nn.ModuleList)
    return Places(
        tuple(_block(model, names, block, *sizes) for block in blocks),
        model.get_submodule(names.final_norm) if names.final_norm else None,
        model.get_submodule(names.positions) if names.positions else None,
        *sizes,
    )


def _block(
    model: PreTrainedModel, names: Names, block: nn.Module, n_heads: int, n_kv: int, d_head: int
) -> Block:
    found: dict[str, Any] = {}
    for name in (f.name for f in fields(Block) if hasattr(names, f.name)):
        given = getattr(names, name)
        found[name] = block.get_submodule(given) if isinstance(given, str) else given
    found["stream_norms"] = {
        where: block.get_submodule(name) for where, name in names.stream_norms.items()
    }
    return Block(
        whole=block,
        multiplier=getattr(model.config, "residual_multiplier", 1.0),
        columns=_columns(model, n_heads, n_kv, d_head),
        **found,
    )


def _head_sizes(model: PreTrainedModel) -> tuple[int, int, int]:
    cfg, kind = model.config, model.config.model_type
    n_heads = cfg.n_heads if kind == "mpt" else cfg.num_attention_heads
    d_head = getattr(cfg, "head_dim", None) or cfg.hidden_size // n_heads
    if kind == "falcon":
        shared = 1 if cfg.multi_query else n_heads
        n_kv = cfg.num_kv_heads if cfg.new_decoder_architecture else shared
    elif kind == "gpt_bigcode":
        n_kv = 1 if cfg.multi_query else n_heads
    else:
        n_kv = getattr(cfg, "num_key_value_heads", None) or n_heads
    return n_heads, n_kv, d_head


def _columns(
    model: PreTrainedModel, n_heads: int, n_kv: int, d_head: int
) -> dict[Projection, Int[Tensor, "head d_head"]]:
    """Each head's columns of the output of the module that projects it."""
    cfg, kind = model.config, model.config.model_type
    by_head = kind in ("gpt_neox", "bloom", "persimmon")
    by_head |= kind == "falcon" and not (cfg.multi_query or cfg.new_decoder_architecture)
    by_head |= kind == "gpt_bigcode" and not cfg.multi_query
    n_all = n_heads + 2 * n_kv
    every = torch.arange(n_all * d_head).view(n_all, d_head)
    if by_head:  # each head's q, k and v beside each other
        q, k, v = every.view(n_heads, 3, d_head).unbind(1)
    elif kind == "falcon":  # each group's queries, then its key and value
        grouped = every.view(n_kv, n_heads // n_kv + 2, d_head)
        q, k, v = grouped[:, :-2].flatten(0, 1), grouped[:, -2], grouped[:, -1]
    elif kind in ("gpt2", "mpt", "phi3", "gpt_bigcode"):  # all queries, all keys, all values
        q, k, v = every.split((n_heads, n_kv, n_kv))
    else:  # a module each
        q, k, v = every[:n_heads], every[:n_kv], every[:n_kv]
    return {"q": q, "k": k, "v": v}
