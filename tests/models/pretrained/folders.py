"""Hugging Face folders for the tests, sound and damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedModel

from mitool.core.errors import InputError
from mitool.models.pretrained import load_pretrained
from mitool.models.subject import open_model
from tests.analysis.attention.models import tiny_llama

D_VOCAB = 32
"""Of ``tiny_llama``, whose tokenizer these folders have."""

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n"

Weights = dict[str, Tensor]


def folder_of(model: PreTrainedModel, folder: Path) -> Path:
    """A folder with a model of ``D_VOCAB`` tokens, and a tokenizer."""
    tiny_llama(folder)
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
    model.save_pretrained(folder)
    return folder


def tiny_gpt2(folder: Path, **settings: Any) -> Path:
    """A random GPT-2, whose unembedding is tied to its embedding."""
    torch.manual_seed(0)
    sizes = {"n_positions": 16, "n_embd": 8, "n_layer": 2, "n_head": 2}
    config = GPT2Config(vocab_size=D_VOCAB, initializer_range=0.5, **{**sizes, **settings})
    return folder_of(GPT2LMHeadModel(config), folder)


def rewritten(folder: Path, change: Callable[[Weights], Weights]) -> Path:
    """The folder with other weights in its file."""
    path = folder / "model.safetensors"
    save_file(
        {name: held.contiguous() for name, held in change(load_file(path)).items()},
        path,
        {"format": "pt"},
    )
    return folder


def renamed(folder: Path, rename: Callable[[str], str]) -> Path:
    """The folder with other names of its weights."""
    return rewritten(folder, lambda weights: {rename(name): w for name, w in weights.items()})


def configured(folder: Path, *without: str, **fields: Any) -> Path:
    """The folder with other fields in ``config.json``."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({k: v for k, v in config.items() if k not in without}))
    return folder


def logits(folder: Path) -> Tensor:
    """What the folder's model makes of a text."""
    loaded = load_pretrained(folder)
    with torch.no_grad():
        return loaded.model(loaded.encode("w0 w3 w1")[None]).logits[0]


def refusal(folder: Path) -> str:
    """Why the folder is refused, on one line that begins with its name."""
    with pytest.raises(InputError) as refused:
        open_model(str(folder))
    message = str(refused.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message
