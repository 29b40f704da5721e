"""Random Hugging Face models of every architecture, with a tokenizer and pairs of texts."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    MptConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.models.mpt.configuration_mpt import MptAttentionConfig

from tests.huggingface.configurations import D_VOCAB, EVERY, KINDS, OTHERS, settings_of

__all__ = [
    "KINDS",
    "NO_PARTS",
    "OTHERS",
    "Pair",
    "n_variants",
    "random_model",
    "random_pairs",
    "save",
]

NO_PARTS = {
    ("bloom", 1): r"a residual stream to which blocks add, found one that each norm replaces",
    ("falcon", 4): "computes another one with eager attention",
    ("falcon", 5): "computes another one with eager attention",
    ("llama4_text", 0): "layer 1, attention computes something else",  # scales queries by position
}
"""Variants that the parts cannot say, and how each is refused."""

BOS, UNKNOWN = 0, 1
WORDS = ("<s>", "<unk>", *(f"w{i}" for i in range(D_VOCAB - 2)))
"""The tokens of the models, by number."""

NORM_WEIGHTS = (-0.6, 0.8)
"""Between which numbers a norm's weight is away from what it starts as, 1 or 0."""


def n_variants(kind: str) -> int:
    """How many seeds give each variant of a kind's configurations once."""
    return len(EVERY[kind])


def random_model(kind: str, seed: int) -> PreTrainedModel:
    """A tiny model of an architecture, all of whose parameters are random and in float64.

    Its configuration is variant ``seed`` of those that are of interest for the kind, counted
    around; attention is eager and the model is not in training.

    Args:
        kind: the architecture's ``model_type``, one of ``KINDS`` or ``OTHERS``.
    """
    settings = settings_of(kind, seed)
    model = AutoModelForCausalLM.from_config(_config(kind, settings), attn_implementation="eager")
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    model.double().eval()
    generator = torch.Generator().manual_seed(1000 + seed)
    with torch.no_grad():
        for name, owner in model.named_modules():
            for own, parameter in owner.named_parameters(recurse=False):
                parameter.copy_(_drawn(f"{name}.{own}", owner, parameter, generator))
    model.requires_grad_(False)
    return model


def _config(kind: str, settings: dict[str, Any]) -> Any:
    if kind != "mpt":
        return AutoConfig.for_model(kind, **settings)
    attention = MptAttentionConfig(**settings.pop("attn_config", {}))
    return MptConfig(attn_config=attention, **settings)


def _drawn(name: str, owner: nn.Module, parameter: Tensor, generator: torch.Generator) -> Tensor:
    kind = type(owner).__name__.lower()
    normal = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    if name.endswith("bias") or "bias" in name.rsplit(".", 1)[-1]:
        return 0.4 * normal
    if "norm" in kind:
        low, high = NORM_WEIGHTS
        uniform = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
        return parameter + low + (high - low) * uniform
    if "embedding" in kind or parameter.ndim < 2:
        return 0.8 * normal
    fan_in = parameter.shape[0] if kind == "conv1d" else parameter.shape[-1]
    return 1.4 * normal / fan_in**0.5


@dataclass(frozen=True)
class Pair:
    """A clean and a corrupted text of one length, with a right and a wrong answer.

    Attributes:
        clean: its tokens, the beginning ``<s>`` among them, [pos].
        corrupted: likewise.
        right: the token that the clean text asks for.
        wrong: another.
    """

    clean: Tensor
    corrupted: Tensor
    right: int
    wrong: int

    @property
    def row(self) -> dict[str, str]:
        """The pair as a row of a file of pairs."""
        return {
            "clean": text_of(self.clean),
            "corrupted": text_of(self.corrupted),
            "correct": f" {WORDS[self.right]}",
            "incorrect": f" {WORDS[self.wrong]}",
        }


def text_of(tokens: Tensor) -> str:
    """The text whose tokens these are, the beginning ``<s>`` left out."""
    return " ".join(WORDS[token] for token in tokens.tolist() if token != BOS)


def random_pairs(seed: int, lengths: Sequence[int] = (5, 5, 7, 4)) -> list[Pair]:
    """Pairs of random words, one of each length in tokens, ``<s>`` counted.

    The texts of a pair differ at one to three positions, never at the beginning ``<s>``.
    """
    rng = random.Random(f"pairs {seed}")
    words = range(2, D_VOCAB)
    found = []
    for length in lengths:
        clean = [BOS, *(rng.choice(words) for _ in range(length - 1))]
        corrupted = list(clean)
        for position in rng.sample(range(1, length), min(rng.randint(1, 3), length - 1)):
            corrupted[position] = rng.choice([word for word in words if word != clean[position]])
        right, wrong = rng.sample(words, 2)
        found.append(Pair(torch.tensor(clean), torch.tensor(corrupted), right, wrong))
    return found


def write_pairs(path: Path, pairs: Sequence[Pair]) -> Path:
    """Write a file of pairs, its columns clean, corrupted, correct and incorrect."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["clean", "corrupted", "correct", "incorrect"])
        writer.writeheader()
        writer.writerows(pair.row for pair in pairs)
    return path


def save(model: PreTrainedModel, folder: Path) -> Path:
    """Save a model in float32, with a tokenizer whose texts begin with ``<s>``.

    The given model goes to float32 and back, and so is rounded to what was saved.
    """
    model.float().save_pretrained(folder)
    model.double()
    known = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token=WORDS[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", BOS)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=WORDS[BOS], unk_token=WORDS[UNKNOWN]
    )
    fast.save_pretrained(folder)
    return folder
