"""Variants of architectures that are made of the same parts as those of ``variants``."""

from collections.abc import Mapping
from typing import Any

from tests.huggingface.ropes import LLAMA3, PARTIAL

OTHER_VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "starcoder2": (
        {"sliding_window": 3, "num_key_value_heads": 2},
        {"use_bias": False, "num_key_value_heads": 1},
    ),
    "arcee": ({"num_key_value_heads": 2, "head_dim": 6, "mlp_bias": True, "attention_bias": True},),
    "helium": ({"num_key_value_heads": 2, "head_dim": 8, "hidden_size": 32},),
    "apertus": ({"num_key_value_heads": 2, "rope_parameters": LLAMA3},),
    "seed_oss": (
        {"num_key_value_heads": 2, "head_dim": 6, "attention_out_bias": True, "mlp_bias": True},
    ),
    "ministral": ({"sliding_window": 3, "num_key_value_heads": 2, "head_dim": 6},),
    "exaone4": (
        {"sliding_window": 3, "layer_types": "alternating", "num_key_value_heads": 2},
        {"sliding_window": None, "layer_types": "full", "num_key_value_heads": 1},
    ),
    "glm": ({"num_key_value_heads": 2, "head_dim": 8, "attention_bias": True},),
    "glm4": ({"num_key_value_heads": 2, "head_dim": 8, "attention_bias": True},),
    "persimmon": (
        {"qk_layernorm": True, "rope_parameters": PARTIAL},
        {"qk_layernorm": False, "rope_parameters": PARTIAL},
    ),
    "gpt_bigcode": ({"multi_query": True}, {"multi_query": False, "scale_attn_weights": False}),
    "ernie4_5": ({"num_key_value_heads": 2, "head_dim": 6, "use_bias": True},),
    "hunyuan_v1_dense": ({"num_key_value_heads": 2, "head_dim": 6, "attention_bias": True},),
    "llama4_text": (
        {
            "attention_chunk_size": 3,
            "num_key_value_heads": 2,
            "num_local_experts": 3,
            "head_dim": 8,
            "floor_scale": 2,
            "no_rope_layers": "alternating",
        },
        {"attention_chunk_size": 4, "moe_layers": [], "use_qk_norm": False, "head_dim": 6},
    ),
    "phimoe": (
        {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "attention_bias": True,
            "lm_head_bias": True,
            "num_key_value_heads": 2,
        },
    ),
}
