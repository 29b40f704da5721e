"""What Hugging Face's modules call the parts of a block, architecture by architecture.

Names alone: what a norm computes, how wide a head is, which keys a query sees and how positions
turn is asked of the modules themselves, and the whole is held against the model in every run. So a
name that means something else in a model unknown here leads to a refusal, and to no number.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

Fused = Literal["contiguous", "by_head", "by_group"]
"""How one map to queries, keys and values holds them: one after another; those of a head after
those of another; or the queries that share keys and values, these, and then the next ones."""


def _never(cfg: Any) -> bool:
    return False


def _always(cfg: Any) -> bool:
    return True


@dataclass(frozen=True)
class BlockNames:
    """Names in a block; of a part that a model lacks, None.

    Attributes:
        blocks: where the blocks are, from the model on.
        final: the norm before the unembedding, likewise.
        attn: attention, from the block on.
        q, k, v: the maps to queries, keys and values, from attention on.
        qkv: the one map to all three, where that is how they are held.
        fused: how it holds them.
        o: the map from ``z`` to what attention writes.
        ln1, ln2: the norms that attention and the MLP read through.
        ln1_post, ln2_post: those of what they write.
        mlp: the MLP, or the mixture of experts; None where its two maps are the block's own.
        is_parallel: whether the MLP reads what attention reads, by the model's configuration.
    """

    blocks: str = "model.layers"
    final: str = "model.norm"
    attn: str = "self_attn"
    q: str = "q_proj"
    k: str = "k_proj"
    v: str = "v_proj"
    qkv: str | None = None
    fused: Callable[[Any], Fused] = lambda cfg: "contiguous"
    o: str = "o_proj"
    ln1: str | None = "input_layernorm"
    ln1_post: str | None = None
    ln2: str | None = "post_attention_layernorm"
    ln2_post: str | None = None
    mlp: str | None = "mlp"
    is_parallel: Callable[[Any], bool] = _never


LLAMA = BlockNames()
SANDWICH = replace(
    LLAMA,
    ln1_post="post_attention_layernorm",
    ln2="pre_feedforward_layernorm",
    ln2_post="post_feedforward_layernorm",
)
NORMS_AFTER = replace(
    LLAMA,
    ln1=None,
    ln1_post="post_attention_layernorm",
    ln2=None,
    ln2_post="post_feedforward_layernorm",
)
ONE_NORM = replace(LLAMA, ln2=None, is_parallel=_always)
GPT2 = BlockNames(
    blocks="transformer.h",
    final="transformer.ln_f",
    attn="attn",
    qkv="c_attn",
    o="c_proj",
    ln1="ln_1",
    ln2="ln_2",
)


def _falcon_fused(cfg: Any) -> Fused:
    if cfg.new_decoder_architecture:
        return "by_group"
    return "contiguous" if cfg.multi_query else "by_head"


def _falcon_reads_twice(cfg: Any) -> bool:
    return cfg.new_decoder_architecture and cfg.num_ln_in_parallel_attn in (None, 2)


def _falcon_is_parallel(cfg: Any) -> bool:
    return bool(cfg.new_decoder_architecture or cfg.parallel_attn)


FALCON = BlockNames(
    blocks="transformer.h",
    final="transformer.ln_f",
    attn="self_attention",
    qkv="query_key_value",
    fused=_falcon_fused,
    o="dense",
    is_parallel=_falcon_is_parallel,
)

TABLE: dict[str, BlockNames] = {
    "GPT2LMHeadModel": GPT2,
    "GPTBigCodeForCausalLM": replace(
        GPT2, fused=lambda cfg: "contiguous" if cfg.multi_query else "by_head"
    ),
    "GPTNeoForCausalLM": replace(GPT2, attn="attn.attention", qkv=None, o="out_proj"),
    "GPTJForCausalLM": replace(GPT2, qkv=None, o="out_proj", ln2=None, is_parallel=_always),
    "GPTNeoXForCausalLM": BlockNames(
        blocks="gpt_neox.layers",
        final="gpt_neox.final_layer_norm",
        attn="attention",
        qkv="query_key_value",
        fused=lambda cfg: "by_head",
        o="dense",
        is_parallel=lambda cfg: cfg.use_parallel_residual,
    ),
    "OPTForCausalLM": BlockNames(
        blocks="model.decoder.layers",
        final="model.decoder.final_layer_norm",
        o="out_proj",
        ln1="self_attn_layer_norm",
        ln2="final_layer_norm",
        mlp=None,
    ),
    "BloomForCausalLM": replace(FALCON, fused=lambda cfg: "by_head", is_parallel=_never),
    "MptForCausalLM": BlockNames(
        blocks="transformer.blocks",
        final="transformer.norm_f",
        attn="attn",
        qkv="Wqkv",
        o="out_proj",
        ln1="norm_1",
        ln2="norm_2",
        mlp="ffn",
    ),
    "FalconForCausalLM": FALCON,
    "PhiForCausalLM": replace(ONE_NORM, final="model.final_layernorm", o="dense"),
    "Phi3ForCausalLM": replace(LLAMA, qkv="qkv_proj"),
    "StableLmForCausalLM": replace(LLAMA, is_parallel=lambda cfg: cfg.use_parallel_residual),
    "PersimmonForCausalLM": replace(
        LLAMA,
        final="model.final_layernorm",
        qkv="query_key_value",
        fused=lambda cfg: "by_head",
        o="dense",
    ),
    "Glm4ForCausalLM": replace(
        LLAMA, ln1_post="post_self_attn_layernorm", ln2_post="post_mlp_layernorm"
    ),
    "ApertusForCausalLM": replace(LLAMA, ln1="attention_layernorm", ln2="feedforward_layernorm"),
    "GraniteMoeForCausalLM": replace(LLAMA, mlp="block_sparse_moe"),
    "Llama4ForCausalLM": replace(LLAMA, mlp="feed_forward"),
    "VaultGemmaForCausalLM": replace(LLAMA, ln2="pre_feedforward_layernorm"),
}
"""The architectures whose names are not those of ``STYLES``."""

STYLES = (SANDWICH, NORMS_AFTER, LLAMA, ONE_NORM)
"""What most architectures call their norms, told apart by which of them a block has."""

NORMS = ("ln1", "ln1_post", "ln2", "ln2_post")


def names_of(architecture: str, cfg: Any, block: nn.Module | None) -> BlockNames:
    """The names of an architecture's parts.

    Args:
        block: the model's first one, where blocks are under the usual name.
    """
    if architecture == "FalconForCausalLM":
        return _falcon_names(cfg)
    if architecture in TABLE:
        return TABLE[architecture]
    known = {name for style in STYLES for field in NORMS if (name := getattr(style, field))}
    has = {name for name in known if getattr(block, name, None) is not None}
    for style in STYLES:
        if has == {name for field in NORMS if (name := getattr(style, field))}:
            return style
    return LLAMA


def _falcon_names(cfg: Any) -> BlockNames:
    if _falcon_reads_twice(cfg):
        return replace(FALCON, ln1="ln_attn", ln2="ln_mlp")
    return replace(FALCON, ln2=None) if _falcon_is_parallel(cfg) else FALCON
