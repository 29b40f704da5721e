"""Small configurations of each architecture: its variants, of drawn sizes."""

import copy
import random
from typing import Any

from tests.huggingface.other_variants import OTHER_VARIANTS
from tests.huggingface.ropes import FULL, SLIDING, YARN
from tests.huggingface.variants import VARIANTS

D_VOCAB = 40
"""Tokens of each model, as many as the tokenizer of ``random_models.save`` knows."""

N_CTX = 64
LLAMA_LIKE = {"pad_token_id": None, "bos_token_id": 0, "eos_token_id": 1}

KINDS = tuple(VARIANTS)
"""The architectures that the reading of pretrained models must know, by their ``model_type``."""

OTHERS = tuple(OTHER_VARIANTS)
"""Architectures made of the same parts."""

EVERY = {**VARIANTS, **OTHER_VARIANTS}


def settings_of(kind: str, seed: int) -> dict[str, Any]:
    """The settings of a configuration: variant ``seed`` of the kind's, of drawn sizes."""
    rng = random.Random(f"{kind} {seed}")
    variant = copy.deepcopy(dict(EVERY[kind][seed % len(EVERY[kind])]))
    n_layers = rng.choice((2, 3))
    sizes = _sizes(kind, n_layers, rng)
    for name, alternatives in _BY_LAYER.items():
        if variant.get(name) == "alternating":
            variant[name] = [alternatives[layer % 2] for layer in range(n_layers)]
        if variant.get(name) == "full":
            variant[name] = [FULL] * n_layers
    if kind == "gpt_neo":
        rounds = -(-n_layers // len(variant["attention_types"][0][0]))
        sizes["num_layers"] = rounds * len(variant["attention_types"][0][0])
        variant["attention_types"] = [[variant["attention_types"][0][0], rounds]]
    return {**sizes, **variant, "vocab_size": D_VOCAB}


_BY_LAYER = {"layer_types": (SLIDING, FULL), "no_rope_layers": (1, 0)}


def _sizes(kind: str, n_layers: int, rng: random.Random) -> dict[str, Any]:
    n_heads, d_model, d_mlp = 4, rng.choice((16, 32)), rng.choice((20, 28))
    sizes: dict[str, Any]
    if kind in ("gpt2", "gptj", "gpt_bigcode"):
        sizes = {"n_layer": n_layers, "n_head": n_heads, "n_embd": d_model, "n_positions": N_CTX}
        dropouts: dict[str, Any] = {"attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
        return {**sizes, **dropouts, "bos_token_id": 0, "eos_token_id": 1}
    if kind == "bloom":
        return {"n_layer": n_layers, "hidden_size": d_model, **LLAMA_LIKE}
    if kind == "mpt":
        sizes = {"n_layers": n_layers, "n_heads": n_heads, "d_model": d_model}
        return {**sizes, "max_seq_len": N_CTX, "expansion_ratio": 2}
    sizes = {"hidden_size": d_model, "max_position_embeddings": N_CTX}
    if kind == "gpt_neo":
        sizes |= {"num_heads": n_heads, "intermediate_size": d_mlp, "resid_dropout": 0.0}
        return {**sizes, "bos_token_id": 0, "eos_token_id": 1}
    sizes |= {"num_hidden_layers": n_layers, "num_attention_heads": n_heads, **LLAMA_LIKE}
    if kind == "opt":
        own: dict[str, Any] = {"ffn_dim": d_mlp, "word_embed_proj_dim": d_model, "dropout": 0.0}
        return {**sizes, **own, "pad_token_id": 1}
    if kind == "falcon":
        return {**sizes, "ffn_hidden_size": d_mlp}
    if kind == "phi3" and d_model != 32:
        sizes["hidden_size"] = 32  # as many factors of longrope as a head has planes
    sizes |= {"intermediate_size": d_mlp, "num_key_value_heads": n_heads}
    if kind == "gpt_oss":
        sizes |= {"num_experts_per_tok": 2, "rope_parameters": dict(YARN)}
    if "moe" in kind or kind == "llama4_text":
        sizes |= {"moe_intermediate_size": 10, "shared_expert_intermediate_size": 14}
    if kind == "llama4_text":
        sizes |= {"intermediate_size_mlp": d_mlp, "attn_temperature_tuning": True}
    if kind == "persimmon":
        sizes.pop("num_key_value_heads")
    return sizes
