"""What is set in configurations of each architecture, a variant for each thing easily misread."""

from collections.abc import Mapping
from typing import Any

from tests.huggingface.ropes import DYNAMIC, FULL, LINEAR, LLAMA3, PARTIAL, SLIDING, YARN

Settings = Mapping[str, Any]

VARIANTS: Mapping[str, tuple[Settings, ...]] = {
    "gpt2": (
        {},
        {"scale_attn_weights": False, "activation_function": "relu", "n_inner": 20},
        {"scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": False},
    ),
    "gpt_neo": (
        {"attention_types": [[["global", "local"], 1]], "window_size": 3},
        {"attention_types": [[["local"], 2]], "window_size": 2},
    ),
    "gptj": ({"rotary_dim": 4}, {"rotary_dim": 2, "tie_word_embeddings": False}),
    "gpt_neox": (
        {"use_parallel_residual": True, "rope_parameters": {**PARTIAL}},
        {"use_parallel_residual": False, "attention_bias": False},
        {"use_parallel_residual": True, "rope_parameters": LINEAR, "tie_word_embeddings": True},
    ),
    "opt": (
        {},
        {"do_layer_norm_before": False},
        {"word_embed_proj_dim": 12, "enable_bias": False},
        {"layer_norm_elementwise_affine": False, "do_layer_norm_before": False},
        {"_remove_final_layer_norm": True, "tie_word_embeddings": False},
        {"word_embed_proj_dim": 12, "do_layer_norm_before": False},
    ),
    "bloom": (
        {"n_head": 3, "hidden_size": 24},
        {"n_head": 4, "apply_residual_connection_post_layernorm": True},
        {"n_head": 6, "hidden_size": 24, "tie_word_embeddings": False},
    ),
    "mpt": (
        {"n_heads": 3, "d_model": 24, "logit_scale": "inv_sqrt_d_model"},
        {"attn_config": {"alibi": False, "clip_qkv": 0.8}},
        {"n_heads": 6, "d_model": 24, "attn_config": {"softmax_scale": 0.7, "alibi_bias_max": 4}},
    ),
    "falcon": (
        {"parallel_attn": False, "multi_query": False, "new_decoder_architecture": False},
        {"parallel_attn": True, "multi_query": True, "new_decoder_architecture": False},
        {"new_decoder_architecture": True, "num_kv_heads": 2},
        {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
        {"alibi": True, "bias": True, "multi_query": False, "parallel_attn": False},
        {"alibi": True, "num_attention_heads": 3, "hidden_size": 24, "bias": True},
        {"multi_query": False, "bias": True, "tie_word_embeddings": False},
    ),
    "phi": (
        {"rope_parameters": PARTIAL, "num_key_value_heads": 2},
        {"qk_layernorm": True, "rope_parameters": PARTIAL},
        {"qk_layernorm": True, "num_key_value_heads": 1, "rope_parameters": PARTIAL},
    ),
    "phi3": (
        {"sliding_window": 3, "num_key_value_heads": 2},
        {"rope_parameters": PARTIAL, "num_key_value_heads": 1},
        {
            "original_max_position_embeddings": 32,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 300.0,
                "short_factor": [1.1, 1.4, 1.9, 2.7],
                "long_factor": [1.2, 2.0, 3.0, 4.0],
                "original_max_position_embeddings": 32,
            },
        },
    ),
    "llama": (
        {"num_key_value_heads": 2, "attention_bias": True},
        {"mlp_bias": True, "head_dim": 6, "rope_parameters": LINEAR, "num_key_value_heads": 1},
        {"rope_parameters": DYNAMIC, "tie_word_embeddings": True, "max_position_embeddings": 64},
        {"rope_parameters": YARN, "head_dim": 10, "num_key_value_heads": 2},
        {"rope_parameters": LLAMA3, "attention_bias": True, "num_key_value_heads": 2},
    ),
    "mistral": (
        {"sliding_window": 3, "num_key_value_heads": 2},
        {"sliding_window": None, "head_dim": 6, "num_key_value_heads": 1},
    ),
    "mixtral": (
        {"num_local_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 2},
        {"num_local_experts": 3, "num_experts_per_tok": 1, "sliding_window": 4},
    ),
    "qwen2": (
        {"num_key_value_heads": 2},
        {
            "use_sliding_window": True,
            "sliding_window": 3,
            "max_window_layers": 1,
            "num_key_value_heads": 1,
        },
    ),
    "qwen2_moe": (
        {"num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": False},
        {"num_experts": 4, "num_experts_per_tok": 2, "mlp_only_layers": [0]},
        {
            "num_experts": 3,
            "num_experts_per_tok": 2,
            "decoder_sparse_step": 2,
            "norm_topk_prob": True,
        },
    ),
    "qwen3": (
        {"num_key_value_heads": 2, "head_dim": 6},
        {
            "attention_bias": True,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "use_sliding_window": True,
            "sliding_window": 3,
            "max_window_layers": 1,
        },
    ),
    "qwen3_moe": (
        {"num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": True, "head_dim": 6},
        {"num_experts": 3, "num_experts_per_tok": 2, "mlp_only_layers": [1], "head_dim": 8},
    ),
    "gemma": (
        {"head_dim": 6, "num_key_value_heads": 1},
        {"head_dim": 8, "num_key_value_heads": 2, "attention_bias": True},
    ),
    "gemma2": (
        {"head_dim": 8, "num_key_value_heads": 2, "sliding_window": 3, "query_pre_attn_scalar": 20},
        {
            "head_dim": 6,
            "num_key_value_heads": 1,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
        },
        {
            "head_dim": 8,
            "num_key_value_heads": 4,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "attention_bias": True,
        },
    ),
    "gemma3_text": (
        {"head_dim": 8, "num_key_value_heads": 2, "sliding_window": 3},
        {
            "head_dim": 6,
            "num_key_value_heads": 1,
            "sliding_window": 4,
            "query_pre_attn_scalar": 11,
            "final_logit_softcapping": 4.0,
            "rope_parameters": {
                SLIDING: {"rope_type": "default", "rope_theta": 50.0},
                FULL: {"rope_type": "linear", "factor": 8.0, "rope_theta": 900.0},
            },
        },
    ),
    "olmo": (
        {"clip_qkv": 0.6, "num_key_value_heads": 2},
        {"clip_qkv": None, "attention_bias": True, "tie_word_embeddings": True},
    ),
    "olmo2": (
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 2, "attention_bias": True},
    ),
    "olmo3": (
        {"sliding_window": 3, "layer_types": "alternating", "num_key_value_heads": 4},
        {"sliding_window": 4, "layer_types": "alternating", "num_key_value_heads": 2},
    ),
    "olmoe": (
        {"num_experts": 4, "num_experts_per_tok": 2, "clip_qkv": 0.7},
        {"num_experts": 3, "num_experts_per_tok": 2, "num_key_value_heads": 2},
    ),
    "granite": (
        {
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.4,
            "attention_multiplier": 0.3,
            "logits_scaling": 2.0,
            "num_key_value_heads": 2,
        },
        {
            "residual_multiplier": 1.7,
            "attention_multiplier": 1,
            "attention_bias": True,
            "mlp_bias": True,
        },
    ),
    "granitemoe": (
        {
            "embedding_multiplier": 2.0,
            "residual_multiplier": 0.5,
            "attention_multiplier": 0.4,
            "logits_scaling": 3.0,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
        },
    ),
    "cohere": (
        {"use_qk_norm": True, "logit_scale": 0.25, "num_key_value_heads": 2},
        {"use_qk_norm": False, "logit_scale": 2.0, "attention_bias": True},
    ),
    "cohere2": (
        {"sliding_window": 3, "layer_types": "alternating", "logit_scale": 0.5},
        {"sliding_window": 4, "layer_types": "alternating", "num_key_value_heads": 2},
    ),
    "stablelm": (
        {"qk_layernorm": True, "num_key_value_heads": 2, "rope_parameters": PARTIAL},
        {"use_parallel_residual": True, "use_qkv_bias": True, "rope_parameters": PARTIAL},
        {
            "use_parallel_residual": True,
            "qk_layernorm": True,
            "use_qkv_bias": True,
            "num_key_value_heads": 1,
            "rope_parameters": PARTIAL,
        },
    ),
    "smollm3": (
        {"no_rope_layers": "alternating", "num_key_value_heads": 2},
        {
            "no_rope_layers": "alternating",
            "num_key_value_heads": 1,
            "attention_bias": True,
            "mlp_bias": True,
        },
    ),
    "gpt_oss": (
        {"sliding_window": 3, "num_local_experts": 4, "head_dim": 8, "num_key_value_heads": 2},
        {"sliding_window": 8, "num_local_experts": 3, "head_dim": 6, "rope_parameters": LINEAR},
    ),
    "nemotron": (
        {"num_key_value_heads": 2, "head_dim": 8, "rope_parameters": PARTIAL},
        {
            "num_key_value_heads": 1,
            "head_dim": 6,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_parameters": PARTIAL,
        },
    ),
}
"""Settings apart from the sizes, by ``model_type``; ``alternating`` is spelled out by layer."""
