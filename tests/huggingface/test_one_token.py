"""Scores and writes of heads on single tokens, held against products of their weights."""

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.huggingface.configurations import D_VOCAB
from tests.huggingface.hooked import (
    exactly_float64,
    one_token_scores,
    one_token_writes,
    places_of,
)
from tests.huggingface.random_models import KINDS, random_model
from tests.huggingface.runs import recorded


def weight_of(module: nn.Module) -> Tensor:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight


@pytest.mark.parametrize(
    ("kind", "seed", "scale", "cap"),
    [
        ("llama", 0, None, None),
        ("gpt2", 1, 1.0, None),
        ("gemma2", 1, 256**-0.5, 2.0),
        ("granite", 0, 0.3, None),
        ("bloom", 0, None, None),
        ("mpt", 2, 0.7, None),
        ("gpt_oss", 0, None, None),
        ("falcon", 2, None, None),
    ],
)
def test_scores_of_single_tokens_are_products_of_queries_and_keys(
    kind: str, seed: int, scale: float | None, cap: float | None
) -> None:
    model = random_model(kind, seed)
    places = places_of(model)
    block, stream = places.blocks[1], _embedded(model)
    assert block.attn_norm is not None
    with torch.no_grad(), exactly_float64():
        normed = block.attn_norm(stream)
        q = block.projection("q")(normed)[:, block.columns["q"]]
        k = block.projection("k")(normed)[:, block.columns["k"]]
    k = k.repeat_interleave(places.n_heads // k.shape[1], dim=1)
    expected = torch.einsum("shd,thd->hst", q, k) * (scale or places.d_head**-0.5)
    expected = cap * torch.tanh(expected / cap) if cap else expected
    if kind == "gpt_oss":
        expected = expected * model.model.rotary_emb.attention_scaling**2
    torch.testing.assert_close(one_token_scores(model, 1), expected, rtol=0, atol=1e-10)


def _embedded(model: PreTrainedModel) -> Tensor:
    """Every token's embedding as it comes to the first block, [token, d_model]."""
    tokens = torch.arange(D_VOCAB)[:, None]
    with torch.no_grad():
        stream = recorded(model, tokens).resid_pre[0][:, 0]
    positions = places_of(model).positions
    return stream if positions is None else stream - weight_of(positions)[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gpt_oss"])
def test_heads_write_for_single_tokens_what_they_write_in_texts_of_one(kind: str) -> None:
    model = random_model(kind, 0)
    places = places_of(model)
    if places.positions is not None:
        weight_of(places.positions).zero_()
    block = places.blocks[0]
    with torch.no_grad(), exactly_float64():
        returned = recorded(model, torch.arange(D_VOCAB)[:, None]).attn_raw[0][:, 0]
        bias = getattr(block.o, "bias", None)
        if block.attn_after is None:
            written = returned if bias is None else returned - bias
        else:  # what the norm makes of all heads together is the sum of what each writes through it
            assert bias is None
            written = block.attn_after(returned)
    expected = written * block.multiplier
    found = one_token_writes(model, 0).sum(dim=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
