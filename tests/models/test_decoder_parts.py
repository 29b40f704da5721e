"""The parts of a decoder by themselves: what each is worked out from is the same in every form."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mitool.models.decoder import Norm, Read, Tables
from mitool.models.decoder.decoder import Unembedding
from mitool.models.decoder.toy import toy_decoder
from tests.analysis.attention.models import random_model

EXACT = {"rtol": 0.0, "atol": 1e-10}

NORMS = ("none", "LN", "RMS")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def norm_of(kind: str) -> Norm:
    if kind == "none":
        return Norm()
    return Norm("LN" if kind == "LN" else "RMS", drawn(12), drawn(12, seed=1), 0.01)


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize("has_projection", [False, True])
def test_logits_are_a_linear_map_and_a_constant(kind: str, has_projection: bool) -> None:
    """All that an unembedding may have, together."""
    width = 7 if has_projection else 12
    projection = drawn(7, 12) if has_projection else None
    unembed = Unembedding(norm_of(kind), drawn(9, width), drawn(9), projection, 0.3, soft_cap=2.0)
    x, constant = drawn(5, 12), unembed.constant()
    assert constant is not None
    normed = unembed.norm.linear(x) / unembed.norm.scale(x)
    uncapped = normed @ unembed.W_U() + constant
    torch.testing.assert_close(unembed.uncapped(x), uncapped, **EXACT)
    torch.testing.assert_close(unembed(x), 2.0 * (uncapped / 2.0).tanh(), **EXACT)
    some = torch.tensor([8, 0, 3])
    torch.testing.assert_close(unembed(x, some), unembed(x)[:, some], **EXACT)
    torch.testing.assert_close(unembed.W_U(some), unembed.W_U()[:, some], **EXACT)


@pytest.mark.parametrize("kind", NORMS)
def test_heads_and_biases_write_what_attention_writes(kind: str) -> None:
    """Through a norm after attention with a bias of its own, and times a multiplier."""
    toy = toy_decoder(random_model()).layers[0]
    layer = replace(toy, b_O=drawn(12), ln1_post=norm_of(kind), residual_multiplier=0.4)
    z = drawn(3, 2, 5, 4)
    heads = torch.einsum("ehpk,hkd->epd", layer.scaled(z), layer.W_write)
    torch.testing.assert_close(heads + layer.written_besides(z), layer.write(z), **EXACT)
    returned = torch.einsum("ehpk,hkd->epd", z, layer.W_O) + layer.b_O
    torch.testing.assert_close(layer.write(z), 0.4 * layer.ln1_post(returned), **EXACT)


def test_a_pattern_of_some_queries_and_heads_is_a_part_of_the_whole() -> None:
    """Whatever is hidden, added to scores, or a sink."""
    decoder = toy_decoder(random_model(n_heads=3))
    layer = replace(decoder.layers[0], sinks=drawn(3), soft_cap=1.5)
    decoder = replace(decoder, layers=(layer,))
    visible = torch.ones(6, 6, dtype=torch.bool).tril() & (drawn(6, 6) > -0.5)
    q, k = drawn(2, 3, 6, 4), drawn(2, 3, 6, 4, seed=1)
    for bias in (drawn(3, 6, 6), drawn(3, 1, 6)):
        read = Read(drawn(2, 6, 12), Tables((None,), (visible,), (bias,)))
        whole = decoder.pattern(0, q, k, read, slice(0, 6))
        scores = 1.5 * ((q @ k.mT * layer.scale + bias) / 1.5).tanh()
        scores = torch.cat(
            [scores.masked_fill(~visible, -torch.inf), drawn(3).view(3, 1, 1).expand(2, 3, 6, 1)],
            dim=-1,
        )
        torch.testing.assert_close(whole, scores.softmax(dim=-1)[..., :-1], **EXACT)
        some = decoder.pattern(0, q[:, [2, 0], 2:5], k[:, [2, 0]], read, slice(2, 5), [2, 0])
        torch.testing.assert_close(some, whole[:, [2, 0], 2:5], **EXACT)
