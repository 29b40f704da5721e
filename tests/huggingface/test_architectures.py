"""Every architecture taken apart, against the models themselves run by plain hooks, in float64."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mitool.analysis.attention.attribution import Attributor
from mitool.analysis.attention.circuits import qk_circuit
from mitool.analysis.attention.contexts import OneTokenContexts
from mitool.analysis.attention.weights import weights_of
from mitool.analysis.interventions.restart import Restart
from mitool.analysis.interventions.run import Run, run
from mitool.analysis.patching.replace import Change, Replacement
from mitool.analysis.patching.sites import Activation
from mitool.errors import InputError
from mitool.models.decoder import Decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.prompts import Prompts
from tests.huggingface.exactness import exactly_float64
from tests.huggingface.one_token import one_token_scores, one_token_writes
from tests.huggingface.parts import direct_attribution
from tests.huggingface.random_models import KINDS, OTHERS, n_variants, random_model, random_pairs
from tests.huggingface.runs import activations, patched_logits

REFUSED = {
    ("bloom", "found one that each norm replaces (apply_residual_connection_post_layernorm)"),
    ("llama4_text", "layer 1, attention computes something else"),  # scales queries by position
}
"""What is refused, of which kinds, with these words."""

SIDES = ("clean", "corrupted")
EVERY = [(kind, seed) for kind in (*KINDS, *OTHERS) for seed in range(n_variants(kind))]


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    with exactly_float64():
        yield


def taken_apart(kind: str, seed: int) -> tuple[PreTrainedModel, Decoder, Tensor, Run, Run]:
    """A model with its parts, clean tokens of two pairs, and the clean and the corrupted run."""
    model, pairs = random_model(kind, seed), random_pairs(seed, (9, 9))
    clean, corrupted = (torch.stack([getattr(p, side) for p in pairs]) for side in SIDES)
    last = (clean.shape[1] - 1,)
    try:
        decoder = decoder_of(model)
        return model, decoder, clean, run(decoder, clean, last), run(decoder, corrupted, last)
    except InputError as refusal:
        reasons = [words for refused, words in REFUSED if refused == kind]
        if any(words in str(refusal) for words in reasons):
            pytest.skip(f"refused, as it is to be: {reasons[0]}")
        raise


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_parts_and_patches_are_the_models(kind: str, seed: int) -> None:
    model, decoder, tokens, clean, corrupted = taken_apart(kind, seed)
    own = activations(model, tokens)
    close = {"rtol": 0.0, "atol": 1e-10 * max(1.0, own.logits.abs().max().item())}
    torch.testing.assert_close(clean.logits[:, 0], own.logits[:, -1], **close)
    for layer, found in enumerate(clean.layers):
        torch.testing.assert_close(found.z.transpose(1, 2), own.z[layer], rtol=0, atol=1e-10)
        for name in ("resid_pre", "resid_post", "attn_out", "mlp_out"):
            torch.testing.assert_close(getattr(found, name), getattr(own, name)[layer], **close)
    sites: tuple[Activation, ...] = ("z", "attn_out", "mlp_out")
    for layer in range(decoder.n_layers):
        for site in sites:
            head = layer % decoder.n_heads if site == "z" else None
            change = Change(site, layer, head, 2, 3)
            restart = Restart(decoder, clean, (tokens.shape[1] - 1,))
            entry = Replacement(decoder, clean, corrupted).entry([change, change])
            value = getattr(corrupted.layers[layer], site)
            value = value[:, 2] if head is None else value[:, head, 2]
            expected = patched_logits(model, tokens, layer, site, value, head, 2)[:, -1]
            for patched in restart.logits(entry)[:, :, 0]:
                torch.testing.assert_close(patched, expected, **close)


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_direct_attributions_are_the_models(kind: str, seed: int) -> None:
    model, decoder, tokens, clean, _ = taken_apart(kind, seed)
    right, wrong = 5, 9
    prompts = Prompts(
        tokens,
        (tokens.shape[1] - 1,),
        torch.full((2, 1), right),
        torch.full((2, 1), wrong),
    )
    assert prompts.targets is not None
    answered = torch.ones(2, 1, dtype=torch.bool)
    found = Attributor(decoder, weights_of(decoder))(
        clean, prompts, right=prompts.targets, answered=answered
    )
    expected = direct_attribution(model, tokens, right, wrong)
    sums = {name: share.sum().item() for name, share in expected.items()}
    close = {"rel": 0.0, "abs": 1e-8 * max(1.0, *map(abs, sums.values()))}
    for layer in range(decoder.n_layers):
        for head in range(decoder.n_heads):
            share = found.heads[layer, head].item()
            assert share == pytest.approx(sums.pop(f"a{layer}.h{head}"), **close)
        assert found.mlps[layer].item() == pytest.approx(sums.pop(f"m{layer}"), **close)
    assert found.embed.item() == pytest.approx(sums.pop("input"), **close)
    assert found.biases.item() == pytest.approx(sum(sums.values()), **close)
    assert found.total.item() == pytest.approx(
        sum(s.sum().item() for s in expected.values()), **close
    )


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_circuits_are_those_of_contexts_of_one_token(kind: str, seed: int) -> None:
    model, decoder, *_ = taken_apart(kind, seed)
    weights = weights_of(decoder)
    contexts = OneTokenContexts(decoder, weights.W_E)
    for layer in range(decoder.n_layers):
        scores, writes = one_token_scores(model, layer), one_token_writes(model, layer)
        part = decoder.layers[layer]
        scale = part.ln1.scale(weights.W_E)
        for head in range(decoder.n_heads):
            dense = qk_circuit(contexts, layer, head).dense()
            torch.testing.assert_close(dense, scores[head], rtol=0, atol=1e-8)
            if part.clip is not None or not part.ln1_post.is_identity or not decoder.adds:
                continue
            by_weights = weights.W_E @ weights.W_V[layer, head] @ weights.W_O[layer, head] / scale
            of_biases = writes[head] - by_weights  # the same for every token
            torch.testing.assert_close(
                of_biases, of_biases[:1].expand_as(of_biases), rtol=0, atol=1e-8
            )
