"""Small models to test with: settings that cover the grid, and random weights."""

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mitool import tasks
from mitool.models.transformer import ToyTransformer, TransformerConfig

FACTORS: dict[str, tuple[Any, ...]] = {
    "n_layers": (1, 2, 3),
    "n_heads": (1, 2, 4),
    "d_model": (8, 12),
    "d_head": (2, 4, 9),
    "d_mlp": (5, 32),
    "act_fn": ("relu", "gelu", "gelu_new", "silu", "solu", "no MLP"),
    "normalization_type": ("none", "LN", "LNPre", "RMS", "RMSPre"),
    "biases": ("none", "mlp", "all"),
    "positional": ("learned", "zero"),
    "attention_dir": ("causal", "bidirectional"),
    "d_vocab_out": (7, 4),
    "n_ctx": (1, 3, 5),
}


def all_pairs(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Settings among which each two values of different factors meet at least once.

    Greedy: of 30 random settings with a pair not yet met, the one with the most such pairs.
    """
    draw = random.Random(0)
    values = [(name, value) for name in factors for value in factors[name]]
    pairs = itertools.combinations(values, 2)
    unmet = {(one, other) for one, other in pairs if one[0] != other[0]}
    chosen = []
    while unmet:
        wanted = dict(min(unmet, key=str))
        drawn = [{name: draw.choice(factors[name]) for name in factors} for _ in range(30)]
        best = max((s | wanted for s in drawn), key=lambda s: len(unmet & _pairs(s)))
        unmet -= _pairs(best)
        chosen.append(best)
    return chosen


def _pairs(settings: Mapping[str, Any]) -> set[tuple[tuple[str, Any], ...]]:
    return set(itertools.combinations(settings.items(), 2))


def _config(act_fn: str, **settings: Any) -> TransformerConfig:
    mlp = {"attn_only": True} if act_fn == "no MLP" else {"act_fn": act_fn}
    return TransformerConfig(d_vocab=7, **mlp, **settings)


GRID = [_config(**settings) for settings in all_pairs(FACTORS)]
"""Small models among which each two settings of different kinds meet."""

PUBLISHED = {
    name: TransformerConfig.for_task(task.model, task())
    for name, task in ((name, tasks.get(name)) for name in tasks.names())
}
"""The model that each task presets."""


def label(cfg: TransformerConfig) -> str:
    """What a test is called that uses this model."""
    shape = f"{cfg.n_layers}L{cfg.n_heads}H{cfg.d_head}d{cfg.d_model}x{cfg.d_mlp}c{cfg.n_ctx}"
    layers = "attn" if cfg.attn_only else cfg.act_fn
    kinds = (cfg.normalization_type, cfg.biases, cfg.positional, cfg.attention_dir[:2])
    return "-".join((shape, layers, *kinds))


def random_model(
    cfg: TransformerConfig, dtype: torch.dtype = torch.float64, seed: int = 0
) -> ToyTransformer:
    """A model whose trained weights are all random, biases and norms too."""
    generator = torch.Generator().manual_seed(seed)
    model = ToyTransformer(cfg).initialise(generator)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad and ".W_" not in name:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.3)
    return model.to(dtype)


def random_tokens(cfg: TransformerConfig, n_examples: int = 9, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(cfg.d_vocab, (n_examples, cfg.n_ctx), generator=generator)
