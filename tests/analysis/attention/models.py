"""Models for the tests of the attention analysis."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from mitool.core.config import as_dict
from mitool.core.version import __version__
from mitool.models.pretrained import Pretrained, load_pretrained
from mitool.models.subject import Subject
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.storage.checkpoint import Metadata, TaskRecord
from mitool.tasks import Task

SHARED = Path(__file__).parents[4] / "shared/data"


def config(**settings: Any) -> TransformerConfig:
    small = {"n_layers": 1, "n_heads": 2, "d_model": 12, "d_head": 4, "d_mlp": 8, "n_ctx": 6}
    sizes = {"d_vocab": 9, "d_vocab_out": 9, "attn_only": True, "positional": "zero"}
    return TransformerConfig(**{**small, **sizes, **settings})


def one_head(ov: Tensor, qk: Tensor | None = None) -> ToyTransformer:
    """One attention-only head on one-hot embeddings, with the given OV and QK circuits."""
    n = len(ov)
    sizes = {"n_heads": 1, "d_model": n, "d_head": n, "d_vocab": n, "d_vocab_out": n}
    model = ToyTransformer(config(**sizes)).double()
    eye = torch.eye(n, dtype=torch.float64)
    weights = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    weights |= {"embed.W_E": eye, "unembed.W_U": eye, "blocks.0.attn.W_V": ov.double()[None]}
    weights |= {"blocks.0.attn.W_O": eye[None], "blocks.0.attn.W_K": eye[None]}
    if qk is not None:
        weights["blocks.0.attn.W_Q"] = (qk.double() * n**0.5)[None]
    model.load_state_dict(weights)
    return model


def random_model(seed: int = 0, **settings: Any) -> ToyTransformer:
    """An attention-only model in float64 with random weights, those of norms too; no biases."""
    model = ToyTransformer(config(**settings)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.zero_()
            if not model.is_frozen(name) and not name.endswith(".b"):
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator) + 0.2)
    return model


def subject_of(model: ToyTransformer, task: Task) -> Subject:
    """A subject as a checkpoint would give it."""
    metadata = Metadata(
        kind="transformer",
        model=as_dict(model.cfg),
        task=TaskRecord(task.name, as_dict(task)),
        training={},
        split=None,
        seed=0,
        step=0,
        epoch=0,
        version=__version__,
    )
    return Subject(Path("set.safetensors"), model, task, metadata)


def tiny_gpt2(folder: Path) -> Pretrained:
    """A random GPT-2 of two layers: learned positions, LayerNorm with weights, no biases."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(initializer_range=0.5, **sizes))
    _scale_norms(model, "ln_")
    model.save_pretrained(folder)
    _word_tokenizer([f"w{i}" for i in range(40)]).save_pretrained(folder)
    return load_pretrained(folder)


def tiny_llama(folder: Path, n_words: int = 29, words: Sequence[str] = ()) -> Path:
    """A random Llama on disk whose four query heads share two of keys and values, and its
    tokenizer: ``<s>`` before each text, then the given words, or w0, w1, ..
    """
    torch.manual_seed(0)
    own = words or [f"w{i}" for i in range(n_words)]
    words = ["<s>", "<unk>", "<b>&", *own]
    _word_tokenizer(words).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32}
    llama = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(words), initializer_range=0.5, **sizes, **heads)
    )
    _scale_norms(llama, "norm")
    llama.save_pretrained(folder)
    return folder


def _word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """One that knows these words; the first is put before every text."""
    first, unknown = words[:2]
    numbered = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A", special_tokens=[(first, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=first, unk_token=unknown)


def _scale_norms(model: torch.nn.Module, mark: str) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if mark in name and name.endswith("weight"):
                parameter.uniform_(0.5, 2.0)
