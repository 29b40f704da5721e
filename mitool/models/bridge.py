"""The way to TransformerLens and back.

Whatever looks inside a model goes through a ``TransformerBridge``, so that a toy checkpoint and
a pretrained model are studied by the same code.
"""

import torch
from torch import Tensor, nn
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

from mitool.errors import InputError
from mitool.models.layers import Norm
from mitool.models.transformer import ToyTransformer, TransformerConfig


def bridge_config(cfg: TransformerConfig) -> TransformerBridgeConfig:
    """The configuration of the ``TransformerBridge`` of the same shape."""
    return TransformerBridgeConfig(
        n_layers=cfg.n_layers,
        n_heads=cfg.n_heads,
        d_model=cfg.d_model,
        d_head=cfg.d_head,
        d_mlp=cfg.d_mlp,
        d_vocab=cfg.d_vocab,
        d_vocab_out=cfg.d_vocab_out,
        n_ctx=cfg.n_ctx,
        act_fn=cfg.act_fn,
        normalization_type=None if cfg.normalization_type == "none" else cfg.normalization_type,
        attn_only=cfg.attn_only,
        attention_dir=cfg.attention_dir,
        eps=Norm.EPS,
        initializer_range=cfg.initial_std,
    )
