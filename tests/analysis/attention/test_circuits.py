"""Full circuits, against weights set by hand and dense products."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mitool.analysis.attention.circuits import (
    chosen_tokens,
    copying_score,
    ov_circuit,
    ov_eigenvalues,
    ov_on_itself,
    positional_circuit,
    qk_circuit,
)
from mitool.analysis.attention.composition import composition
from mitool.analysis.attention.contexts import OneTokenContexts
from mitool.analysis.attention.observe import forward
from mitool.analysis.attention.weights import Weights, weights_of
from mitool.models.bridge import to_bridge
from mitool.models.decoder import HeadNorm, Letter
from mitool.models.decoder.toy import toy_decoder
from mitool.models.pretrained import load_pretrained
from mitool.models.pretrained.parts import decoder_of
from mitool.pairs.prompts import Prompts
from tests.analysis.attention.models import one_head, random_model, tiny_gpt2, tiny_llama
from tests.huggingface.random_models import random_model as random_huggingface

ROTATION = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])


@pytest.mark.parametrize(
    ("ov", "score", "top1", "raised"),
    [
        (torch.eye(3), 1.0, 1.0, 1.0),
        (-torch.eye(3), 0.0, 0.0, 0.0),
        (torch.diag(torch.tensor([3.0, -1.0])), 0.75, 0.5, 0.5),
        (torch.diag(torch.tensor([2.0, 1.0, -1.0, -4.0])), 0.375, 0.5, 0.5),
        # eigenvalues 1 + i and 1 - i, so all of the mass copies
        (torch.eye(2) + ROTATION, 1.0, None, 0.5),
        (-torch.eye(2) + ROTATION, 0.0, 0.0, 0.0),
        # a permutation's eigenvalues 1 and -1/2 +- i sqrt(3)/2
        (torch.eye(3)[[1, 2, 0]], 1 / 3, 0.0, 0.0),
        # one eigenvalue, 2: all of the mass has a positive real part, and one token of four is
        # raised
        (
            torch.tensor([[5.0, 0, 0, 0], [9, -1, 0, 0], [9, 0, -1, 0], [9, 0, 0, -1]]),
            5 / 8,
            0.25,
            0.25,
        ),
        (torch.tensor([[5.0, 1, 1, 1]]).T @ torch.tensor([[1.0, -1, -1, -1]]), 1.0, 0.25, 0.25),
    ],
)
def test_copying_is_exact_on_weights_set_by_hand(
    ov: Tensor, score: float, top1: float | None, raised: float
) -> None:
    weights = weights_of(toy_decoder(one_head(ov)))
    assert copying_score(ov_eigenvalues(weights, 0, 0)) == pytest.approx(score, abs=1e-12)
    circuit = ov_circuit(weights, 0, 0)
    torch.testing.assert_close(circuit.dense(), ov.double())
    found = ov_on_itself(weights, 0, 0, torch.arange(len(ov)))
    assert found.raised == raised
    if top1 is not None:  # no tie for the largest
        assert found.top1 == top1


def test_a_head_of_zeros_has_no_copying_score() -> None:
    weights = weights_of(toy_decoder(one_head(torch.zeros(3, 3))))
    assert copying_score(ov_eigenvalues(weights, 0, 0)) is None


def test_eigenvalues_of_a_wide_vocabulary_are_those_of_the_dense_circuit() -> None:
    model = random_model(d_vocab=11, d_vocab_out=9, n_heads=2)
    weights = weights_of(toy_decoder(model))
    for layer, head in weights.heads:
        dense = ov_circuit(weights, layer, head).dense()[:9]
        expected = torch.linalg.eigvals(dense)
        expected = expected[expected.abs().argsort(descending=True)[:4]]
        found = ov_eigenvalues(weights, layer, head)
        found = found[found.abs().argsort(descending=True)]
        torch.testing.assert_close(found.abs(), expected.abs())
        torch.testing.assert_close(found.real, expected.real)


def test_the_answer_row_is_in_units_of_scores() -> None:
    qk = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    decoder = toy_decoder(one_head(torch.eye(4), qk))
    weights = weights_of(decoder)
    contexts = OneTokenContexts(decoder, weights.W_E)
    rows = qk_circuit(contexts, 0, 0).rows(torch.tensor([3]))
    torch.testing.assert_close(rows[0], qk[3].double())
    assert positional_circuit(contexts, weights, 0, 0) is None
    seen = forward(decoder, Prompts(torch.tensor([[0, 2, 3]]), (2,)))
    expected = qk[3, [0, 2, 3]].softmax(dim=-1)
    torch.testing.assert_close(seen.patterns[0, 0, 0, 2], expected.double())


@pytest.mark.parametrize("norm", ["none", "LN", "LNPre", "RMS", "RMSPre"])
def test_norms_are_folded_in_up_to_their_scale(norm: str) -> None:
    """The scores of the first layer, from the folded weights and the scales that the norms took."""
    model = random_model(normalization_type=norm, positional="learned")
    bridge, weights = to_bridge(model), weights_of(toy_decoder(model))
    tokens = torch.tensor([[3, 1, 4, 1, 5, 8]])
    assert weights.W_pos is not None
    stream = weights.W_E[tokens[0]] + weights.W_pos
    _, cache = bridge.run_with_cache(tokens)
    scale = torch.ones(6, 1).double()
    if norm != "none":
        scale = cache["blocks.0.ln1.hook_scale"][0]
    stream = stream / scale
    for head in range(2):
        scores = (stream @ weights.W_Q[0, head]) @ (stream @ weights.W_K[0, head]).T / math.sqrt(4)
        expected = scores.masked_fill(~torch.ones(6, 6).tril().bool(), -math.inf).softmax(dim=-1)
        torch.testing.assert_close(cache["blocks.0.attn.hook_pattern"][0, head], expected)


def test_a_gpt2_opens_with_its_norms_folded_in(tmp_path: Path) -> None:
    subject = tiny_gpt2(tmp_path)
    bridge, weights = subject.bridge, weights_of(subject.decoder())
    tokens = torch.tensor([[3, 14, 15, 9, 26, 5]])
    _, cache = bridge.run_with_cache(tokens)
    assert weights.W_pos is not None
    stream = weights.W_E[tokens[0]] + weights.W_pos[:6]
    stream = stream / cache["blocks.0.ln1.hook_scale"][0].double()
    for head in range(2):
        scores = (stream @ weights.W_Q[0, head]) @ (stream @ weights.W_K[0, head]).T / math.sqrt(8)
        expected = scores.masked_fill(~torch.ones(6, 6).tril().bool(), -math.inf).softmax(dim=-1)
        found = cache["blocks.0.attn.hook_pattern"][0, head].double()
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_grouped_queries_have_a_copy_of_their_keys_and_values(tmp_path: Path) -> None:
    subject = load_pretrained(tiny_llama(tmp_path))
    bridge, weights = subject.bridge, weights_of(subject.decoder())
    assert weights.W_K.shape == weights.W_Q.shape == (2, 4, 16, 4)
    for shared in (weights.W_K, weights.W_V):
        assert torch.equal(shared[:, 0], shared[:, 1])
        assert torch.equal(shared[:, 2], shared[:, 3])
        assert not torch.equal(shared[:, 1], shared[:, 2])
    # values, by the weights: each head's are those that hook_z mixes on the first token
    tokens = torch.tensor([[0, 7, 9]])
    _, cache = bridge.run_with_cache(tokens)
    scale = cache["blocks.0.ln1.hook_scale"][0].double()
    values = torch.einsum("pd,hdk->phk", weights.W_E[tokens[0]] / scale, weights.W_V[0])
    pattern = cache["blocks.0.attn.hook_pattern"][0].double()
    expected = torch.einsum("hqk,khd->qhd", pattern, values)
    found = cache["blocks.0.attn.hook_z"][0].double()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["olmo2", "olmo3", "qwen3", "gemma3_text", "cohere"])
def test_norms_of_queries_and_keys_are_folded_in_up_to_their_scale(kind: str) -> None:
    """What attention takes of single tokens, where nothing has a bias, up to a scale of each."""
    decoder = decoder_of(random_huggingface(kind, 0))
    weights = weights_of(decoder)
    contexts = OneTokenContexts(decoder, weights.W_E)
    for layer, head in weights.heads:
        part = decoder.layers[layer]
        assert not (part.q_norm is None and part.k_norm is None)
        of_letters: dict[Letter, Tensor] = {"q": weights.W_Q, "k": weights.W_K}
        for letter, W in of_letters.items():
            found = F.normalize(weights.W_E @ W[layer, head], dim=-1)
            taken = F.normalize(contexts.taken(layer, head, letter), dim=-1)
            torch.testing.assert_close(found, taken, atol=1e-6, rtol=0)


def test_values_that_are_cut_are_counted_by_token() -> None:
    decoder = decoder_of(random_huggingface("mpt", 1))
    W_E = weights_of(decoder).W_E
    for layer, part in enumerate(decoder.layers):
        largest = [part.v(part.ln1(token[None])).abs().max().item() for token in W_E]
        of_half = replace(part, clip=sorted(largest)[len(W_E) // 2 - 1])
        layers = (*decoder.layers[:layer], of_half, *decoder.layers[layer + 1 :])
        contexts = OneTokenContexts(replace(decoder, layers=layers), W_E)
        assert contexts.values_cut(layer) == 0.5


@pytest.mark.parametrize("spans_heads", [False, True])
@pytest.mark.parametrize("removes_mean", [False, True])
def test_a_norm_of_heads_is_a_linear_map_over_a_scale(
    removes_mean: bool, spans_heads: bool
) -> None:
    draws = torch.Generator().manual_seed(0)
    weight, bias, x = (torch.randn(s, generator=draws) for s in ((3, 1, 4), (3, 1, 4), (3, 5, 4)))
    norm = HeadNorm(removes_mean, weight, bias, 1e-5, spans_heads)
    scales = norm.linear(x) / (norm(x, 3) - bias)
    if not spans_heads:
        expected = F.layer_norm(x, (4,)) if removes_mean else F.rms_norm(x, (4,))
    else:
        whole = x.transpose(0, 1).flatten(1)
        flat = F.layer_norm(whole, (12,)) if removes_mean else F.rms_norm(whole, (12,))
        expected = flat.unflatten(1, (3, 4)).transpose(0, 1)
    torch.testing.assert_close(norm(x, 3), expected * weight + bias, atol=1e-4, rtol=0)
    over = (0, 2) if spans_heads else (2,)
    assert (scales.amax(dim=over) - scales.amin(dim=over)).abs().max() < 1e-4


def test_composition_is_that_of_the_dense_matrices() -> None:
    weights = weights_of(toy_decoder(random_model(n_layers=3)))
    found = composition(weights)
    assert found is not None
    assert found.virtual_copying is not None
    for (i, (layer1, head1)), (j, (layer2, head2)) in itertools.product(
        enumerate(weights.heads), repeat=2
    ):
        if layer2 <= layer1:
            assert found.q[i, j].isnan()
            assert found.virtual_copying[i, j].isnan()
            continue
        ov1 = weights.W_V[layer1, head1] @ weights.W_O[layer1, head1]
        ov2 = weights.W_V[layer2, head2] @ weights.W_O[layer2, head2]
        qk2 = weights.W_Q[layer2, head2] @ weights.W_K[layer2, head2].T
        for scores, matrix in ((found.q, qk2), (found.k, qk2.T), (found.v, ov2)):
            expected = (ov1 @ matrix).norm() / (ov1.norm() * matrix.norm())
            torch.testing.assert_close(scores[i, j], expected)
        virtual = torch.linalg.eigvals(weights.W_E @ ov1 @ ov2 @ weights.W_U)
        expected_share = virtual.abs()[virtual.real > 1e-9].sum() / virtual.abs().sum()
        torch.testing.assert_close(found.virtual_copying[i, j], expected_share)


def test_there_is_no_copying_where_outputs_are_no_tokens() -> None:
    weights = weights_of(toy_decoder(random_model(n_layers=2)))
    found, expected = composition(weights, outputs_are_tokens=False), composition(weights)
    assert found is not None
    assert expected is not None
    assert found.virtual_copying is None
    assert torch.equal(found.v.nan_to_num(), expected.v.nan_to_num())


def test_one_layer_composes_with_nothing() -> None:
    assert composition(weights_of(toy_decoder(random_model()))) is None


def test_random_weights_compose_at_chance() -> None:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    W_Q, W_K, W_V = (draw(2, 8, 64, 16) for _ in range(3))
    found = composition(
        Weights(draw(70, 64), None, W_Q, W_K, W_V, draw(2, 8, 16, 64), draw(64, 70))
    )
    assert found is not None
    for scores in (found.q, found.k, found.v):
        assert scores.nanmean().item() == pytest.approx(found.chance, rel=0.02)


def test_rows_of_a_large_vocabulary_are_drawn() -> None:
    assert chosen_tokens(512, 0).tolist() == list(range(512))
    drawn = chosen_tokens(50_000, 0)
    assert len(drawn.unique()) == 512
    assert torch.equal(drawn, chosen_tokens(50_000, 0))
    assert not torch.equal(drawn, chosen_tokens(50_000, 1))
