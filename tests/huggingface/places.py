"""Where the parts of a Hugging Face model are: its own modules, looked up by architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

Projection = Literal["q", "k", "v"]
PROJECTIONS: tuple[Projection, ...] = ("q", "k", "v")

StreamNorm = Literal["before_attn", "after_attn", "before_mlp", "after_mlp"]
"""Where the whole residual stream goes through a norm."""


@dataclass(frozen=True)
class Names:
    """Names of modules: those of a block within it, the others within the model.

    Attributes:
        attn_norm: what the attention reads the stream through, if anything.
        o: the output projection, whose input is every head's z.
        attn_after: the norm of what the attention writes, if there is one.
        mlp_in: the MLP's first module, where the input of ``mlp`` is not the MLP's.
        mlp: the module whose output the MLP writes.
        parallel: whether the MLP reads what the attention of its block reads.
        stream_norms: the norms that the whole stream goes through on its way.
        positions: the learned embedding of positions, if there is one.
    """

    blocks: str = "model.layers"
    attn: str = "self_attn"
    attn_norm: str | None = "input_layernorm"
    q: str = "self_attn.q_proj"
    k: str = "self_attn.k_proj"
    v: str = "self_attn.v_proj"
    o: str = "self_attn.o_proj"
    attn_after: str | None = None
    mlp_norm: str | None = "post_attention_layernorm"
    mlp_in: str | None = None
    mlp: str = "mlp"
    mlp_after: str | None = None
    parallel: bool = False
    stream_norms: Mapping[StreamNorm, str] = field(default_factory=dict)
    final_norm: str | None = "model.norm"
    positions: str | None = None


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
    names, sizes = _names(model), _head_sizes(model)
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


def _fused(module: str, o: str) -> dict[str, str]:
    return {"q": module, "k": module, "v": module, "o": o}


GPT = Names(
    "transformer.h",
    attn="attn",
    attn_norm="ln_1",
    mlp_norm="ln_2",
    final_norm="transformer.ln_f",
    positions="transformer.wpe",
    **_fused("attn.c_attn", "attn.c_proj"),
)
BOTH_SIDES = Names(
    attn_after="post_attention_layernorm",
    mlp_norm="pre_feedforward_layernorm",
    mlp_after="post_feedforward_layernorm",
)
AFTER = replace(BOTH_SIDES, attn_norm=None, mlp_norm=None)
SHARED = Names(mlp_norm="input_layernorm", parallel=True)
FUSED_DENSE = _fused("self_attn.query_key_value", "self_attn.dense")

NAMES: Mapping[str, Names] = {
    "gpt2": GPT,
    "gpt_bigcode": GPT,
    "gpt_neo": replace(
        GPT,
        attn="attn.attention",
        **{name: f"attn.attention.{name}_proj" for name in PROJECTIONS},
        o="attn.attention.out_proj",
    ),
    "gptj": replace(
        GPT,
        **{name: f"attn.{name}_proj" for name in PROJECTIONS},
        o="attn.out_proj",
        mlp_norm="ln_1",
        parallel=True,
        positions=None,
    ),
    "gpt_neox": Names(
        "gpt_neox.layers",
        attn="attention",
        final_norm="gpt_neox.final_layer_norm",
        **_fused("attention.query_key_value", "attention.dense"),
    ),
    "opt": Names(
        "model.decoder.layers",
        attn_norm="self_attn_layer_norm",
        o="self_attn.out_proj",
        mlp_norm="final_layer_norm",
        mlp_in="fc1",
        mlp="fc2",
        final_norm="model.decoder.final_layer_norm",
        positions="model.decoder.embed_positions",
    ),
    "bloom": Names(
        "transformer.h",
        attn="self_attention",
        mlp_in="mlp.dense_h_to_4h",
        mlp="mlp.dense_4h_to_h",
        final_norm="transformer.ln_f",
        **_fused("self_attention.query_key_value", "self_attention.dense"),
    ),
    "mpt": Names(
        "transformer.blocks",
        attn="attn",
        attn_norm="norm_1",
        mlp_norm="norm_2",
        mlp_in="ffn.up_proj",
        mlp="ffn.down_proj",
        final_norm="transformer.norm_f",
        **_fused("attn.Wqkv", "attn.out_proj"),
    ),
    "falcon": Names(
        "transformer.h",
        attn="self_attention",
        final_norm="transformer.ln_f",
        **_fused("self_attention.query_key_value", "self_attention.dense"),
    ),
    "phi": replace(SHARED, o="self_attn.dense", final_norm="model.final_layernorm"),
    "phi3": Names(**_fused("self_attn.qkv_proj", "self_attn.o_proj")),
    "persimmon": Names(final_norm="model.final_layernorm", **FUSED_DENSE),
    "gemma2": BOTH_SIDES,
    "gemma3_text": BOTH_SIDES,
    "olmo2": AFTER,
    "olmo3": AFTER,
    "exaone4": AFTER,
    "glm4": Names(attn_after="post_self_attn_layernorm", mlp_after="post_mlp_layernorm"),
    "granitemoe": Names(mlp="block_sparse_moe"),
    "cohere": SHARED,
    "cohere2": SHARED,
    "apertus": Names(attn_norm="attention_layernorm", mlp_norm="feedforward_layernorm"),
    "llama4_text": Names(mlp="feed_forward"),
}
"""By ``model_type``; one that is not there is laid out as Llama."""


def _names(model: PreTrainedModel) -> Names:
    cfg, kind = model.config, model.config.model_type
    names = NAMES.get(kind, Names())
    if kind == "gpt_neox":
        return replace(names, parallel=cfg.use_parallel_residual)
    if kind == "stablelm" and cfg.use_parallel_residual:
        return replace(names, mlp_norm="input_layernorm", parallel=True)
    if kind == "falcon":
        return _names_in_falcon(names, cfg)
    if kind == "bloom" and cfg.apply_residual_connection_post_layernorm:
        return replace(
            names,
            stream_norms={
                "before_attn": "input_layernorm",
                "before_mlp": "post_attention_layernorm",
            },
        )
    if kind == "opt":
        return _names_in_opt(names, cfg)
    return names


def _names_in_falcon(names: Names, cfg: Any) -> Names:
    if not (cfg.parallel_attn or cfg.new_decoder_architecture):
        return names
    if cfg.new_decoder_architecture and cfg.num_ln_in_parallel_attn == 2:
        return replace(names, attn_norm="ln_attn", mlp_norm="ln_mlp", parallel=True)
    return replace(names, mlp_norm="input_layernorm", parallel=True)


def _names_in_opt(names: Names, cfg: Any) -> Names:
    if cfg.do_layer_norm_before:
        return replace(names, final_norm=None) if cfg._remove_final_layer_norm else names
    return replace(
        names,
        attn_norm=None,
        mlp_norm=None,
        final_norm=None,
        stream_norms={"after_attn": "self_attn_layer_norm", "after_mlp": "final_layer_norm"},
    )
