"""Models for the tests of the attention analysis."""

from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from mitool.models.pretrained import Pretrained
from mitool.models.transformer import ToyTransformer, TransformerConfig
from transformer_lens.model_bridge import TransformerBridge

SHARED = Path(__file__).parents[4] / "shared/data"


def one_head(W_V: torch.Tensor, W_Q: torch.Tensor | None = None) -> ToyTransformer:
    """One attention-only head on one-hot embeddings, its OV circuit ``W_V``, its QK circuit
    ``W_Q`` (times the root of its width).
    """
    n = len(W_V)
    model = ToyTransformer(config(n_heads=1, d_model=n, d_head=n, d_vocab=n, d_vocab_out=n)).double()
    eye = torch.eye(n, dtype=torch.float64)
    weights = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    weights |= {"embed.W_E": eye, "unembed.W_U": eye}
    weights |= {"blocks.0.attn.W_O": eye[None], "blocks.0.attn.W_K": eye[None]}
    weights |= {"blocks.0.attn.W_V": W_V.double()[None]}
    if W_Q is not None:
        weights["blocks.0.attn.W_Q"] = W_Q.double()[None]
    model.load_state_dict(weights)
    return model


def random_model(seed: int = 0, **settings: Any) -> ToyTransformer:
    """An attention-only model in float64 with random weights, norms' weights too, no biases."""
    model = ToyTransformer(config(**settings)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not model.is_frozen(name) and not name.endswith(".b"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
            else:
                parameter.zero_()
    return model


def config(**settings: Any) -> TransformerConfig:
    small = {"n_layers": 1, "n_heads": 2, "d_model": 12, "d_head": 4, "d_mlp": 8, "n_ctx": 6}
    sizes = {"d_vocab": 9, "d_vocab_out": 9, "attn_only": True, "positional": "zero"}
    return TransformerConfig(**{**small, **sizes, **settings})


def tiny_gpt2() -> TransformerBridge:
    """A random GPT-2 of two layers: learned positions, LayerNorm with weights."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=40, n_positions=16, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".ln_" in name and name.endswith("weight"):
                parameter.uniform_(0.5, 2.0)
    return TransformerBridge.boot_transformers("gpt2", hf_model=model, device="cpu")


def tiny_llama(folder: Path) -> Pretrained:
    """A random Llama whose four query heads share two heads of keys and values."""
    raise NotImplementedError
