"""What the modules of each architecture are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

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


def names_of(model: PreTrainedModel) -> Names:
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
