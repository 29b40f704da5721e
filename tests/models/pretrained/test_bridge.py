"""Bridges of pretrained models: those that compute the model, and no others."""

from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from mitool.core.errors import InputError
from mitool.models.pretrained import Pretrained, load_pretrained
from tests.analysis.attention.models import tiny_llama

SIZES = {"vocab_size": 40, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}


def gpt2(folder: Path, **settings: bool) -> Pretrained:
    tiny_llama(folder)  # for its tokenizer
    torch.manual_seed(0)
    config = GPT2Config(initializer_range=0.5, **SIZES, **settings)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return load_pretrained(folder)


def test_a_bridge_computes_the_model(tmp_path: Path) -> None:
    subject, tokens = gpt2(tmp_path / "gpt2"), torch.tensor([[3, 1, 4, 1, 5]])
    own = subject.model(tokens).logits
    torch.testing.assert_close(subject.bridge(tokens), own, rtol=0, atol=1e-4)


def test_a_bridge_of_another_model_is_refused(tmp_path: Path) -> None:
    """Transformer-lens scales the scores of every GPT-2."""
    subject = gpt2(tmp_path / "gpt2", scale_attn_weights=False)
    with pytest.raises(InputError, match="expected a TransformerBridge that computes what the mod"):
        _ = subject.bridge
