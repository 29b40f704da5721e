"""Every architecture taken apart, against the models themselves run by plain hooks, in float64."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from mitool.analysis.attention.attribution import Attributor
from mitool.analysis.attention.circuits import positional_circuit, qk_circuit
from mitool.analysis.attention.contexts import OneTokenContexts
from mitool.analysis.attention.weights import weights_of
from mitool.analysis.circuits.attribution import contracted, gradients_at
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import Budget, Judged
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.edges import EdgeRuns, Kept
from mitool.analysis.interventions.replace import Activation, Change, Replacement
from mitool.analysis.interventions.restart import Restart
from mitool.analysis.interventions.run import Run, run
from mitool.analysis.metrics import metric_of
from mitool.core.errors import InputError
from mitool.core.node_names import published
from mitool.models.decoder import Decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.pairs.prompts import Prompts
from tests.huggingface.hooked import (
    activations,
    direct_attribution,
    eap_scores,
    exactly_float64,
    one_token_scores,
    one_token_writes,
    patched_logits,
    scale_after_attention,
    stream_parts,
)
from tests.huggingface.random_models import (
    KINDS,
    NO_PARTS,
    OTHERS,
    Pair,
    n_variants,
    random_model,
    random_pairs,
)

EXACT, CLOSE = 1e-10, 1e-8
"""Of activations and logits, and of what is worked out of them; of the largest, where above 1."""

SIDES = ("clean", "corrupted")
EVERY = [
    (kind, seed)
    for kind in (*KINDS, *OTHERS)
    for seed in range(n_variants(kind))
    if (kind, seed) not in NO_PARTS
]
"""Every variant of a configuration but those that are refused."""


@dataclass(frozen=True)
class Case:
    """A model with its parts, and runs over two pairs of one length."""

    model: PreTrainedModel
    decoder: Decoder
    pairs: Sequence[Pair]
    tokens: Tensor
    clean: Run
    corrupted: Run

    @property
    def last(self) -> tuple[int, ...]:
        return (self.tokens.shape[1] - 1,)


@pytest.mark.parametrize(("kind", "seed"), EVERY)
def test_parts_and_all_that_is_said_of_them_are_the_models(kind: str, seed: int) -> None:
    with exactly_float64():
        case = taken_apart(kind, seed)
        activations_are_the_models(case)
        patches_are_the_models(case)
        attributions_are_the_models(case)
        writes_arrive_as_the_models_do(case)
        edges_are_the_models(case)
        circuits_are_those_of_one_token(case)


def taken_apart(kind: str, seed: int) -> Case:
    model, pairs = random_model(kind, seed), random_pairs(seed, (9, 9))
    clean, corrupted = (torch.stack([getattr(p, side) for p in pairs]) for side in SIDES)
    last = (clean.shape[1] - 1,)
    decoder = decoder_of(model)
    runs = (run(decoder, side, last) for side in (clean, corrupted))
    return Case(model, decoder, pairs, clean, *runs)


def activations_are_the_models(case: Case) -> None:
    own = activations(case.model, case.tokens)
    same(case.clean.logits[:, 0], own.logits[:, -1], EXACT)
    for layer, found in enumerate(case.clean.layers):
        same(found.z.transpose(1, 2), own.z[layer], EXACT)
        for name in ("resid_pre", "resid_post", "attn_out", "mlp_out"):
            same(getattr(found, name), getattr(own, name)[layer], EXACT)


def patches_are_the_models(case: Case) -> None:
    """Of one head, of attention and of the MLP in each layer, two variants side by side."""
    sites: tuple[Activation, ...] = ("z", "attn_out", "mlp_out")
    restart = Restart(case.decoder, case.clean, case.last)
    for layer, site in itertools.product(range(case.decoder.n_layers), sites):
        head = layer % case.decoder.n_heads if site == "z" else None
        change = Change(site, layer, head, 2, 3)
        entry = Replacement(case.decoder, case.clean, case.corrupted).entry([change, change])
        value = getattr(case.corrupted.layers[layer], site)
        value = value[:, 2] if head is None else value[:, head, 2]
        expected = patched_logits(case.model, case.tokens, layer, site, value, head, 2)[:, -1]
        for patched in restart.logits(entry)[:, :, 0]:
            same(patched, expected, EXACT)


def attributions_are_the_models(case: Case) -> None:
    right, wrong = torch.full((2, 1), 5), torch.full((2, 1), 9)
    found = Attributor(case.decoder, weights_of(case.decoder))(
        case.clean,
        Prompts(case.tokens, case.last, right, wrong),
        right=right,
        answered=torch.ones(2, 1, dtype=torch.bool),
    )
    own = {n: x.sum() for n, x in direct_attribution(case.model, case.tokens, 5, 9).items()}
    same(found.total, torch.stack(list(own.values())).sum(), CLOSE)
    for layer, of_heads in enumerate(found.heads):
        for head, share in enumerate(of_heads):
            same(share, own.pop(f"a{layer}.h{head}"), CLOSE)
        same(found.mlps[layer], own.pop(f"m{layer}"), CLOSE)
    same(found.embed, own.pop("input"), CLOSE)
    same(found.biases, torch.stack(list(own.values())).sum(), CLOSE)


def writes_arrive_as_the_models_do(case: Case) -> None:
    """What each head writes as it is in the last stream, up to the scales of norms on its way."""
    arriving, weights = stream_parts(case.model, case.tokens).final, weights_of(case.decoder)
    for layer, head in weights.heads:
        own = arriving[f"a{layer}.h{head}"]
        found = case.clean.layers[layer].z[:, head] @ weights.W_O[layer, head]
        same(F.normalize(found, dim=-1), F.normalize(own, dim=-1), CLOSE)


def edges_are_the_models(case: Case) -> None:
    """Scores of EAP, and runs with all edges patched and with none."""
    decoder, index = case.decoder, torch.arange(2)
    if not decoder.adds:
        with pytest.raises(InputError, match="the sum of what is written to it, found norms of"):
            EdgeRuns(decoder, case.clean, case.corrupted, case.last)
        return
    right, wrong = (
        torch.tensor([[[getattr(p, n)]] for p in case.pairs]) for n in ("right", "wrong")
    )
    pairs = PromptPairs(case.tokens, case.tokens, case.last, right, wrong, index)
    judged = Judged(pairs, metric_of("logit-diff", None), case.clean.logits)
    chunk = Chunk(decoder, case.clean, case.corrupted, judged, 0, Budget(2**28))
    units = Units(chunk.edge_runs.table, "edge", decoder.d_model)
    gradients = gradients_at(chunk, case.clean.read.resid_pre)
    scores = units.listed(contracted(units, chunk, gradients)) / 2
    own = eap_scores(case.model, case.pairs)
    names = [published(name) for name in units.names]
    assert set(own) == set(names)
    expected = torch.tensor([own[name] for name in names], dtype=torch.float64)
    same(scores, expected, CLOSE)
    every = chunk.edge_runs.table.exists[..., None]
    ends = chunk.edge_runs.logits(Kept(torch.stack([every, torch.zeros_like(every)])))
    same(ends, torch.stack([case.clean.logits, case.corrupted.logits]), EXACT)


def circuits_are_those_of_one_token(case: Case) -> None:
    """Scores whole; writes up to what the biases write, which is the same for every token but for
    the scale of a norm after attention.
    """
    weights = weights_of(case.decoder)
    contexts = OneTokenContexts(case.decoder, weights.W_E)
    for layer, part in enumerate(case.decoder.layers):
        scores = one_token_scores(case.model, layer)
        writes = one_token_writes(case.model, layer)
        scale = scale_after_attention(case.model, layer)
        embedded, added, scale_before = carried(case.decoder, layer, weights.W_E)
        scale_ln1 = part.ln1.scale(embedded + added)
        scale_read = scale_before * scale_ln1
        for head in range(case.decoder.n_heads):
            same(qk_circuit(contexts, layer, head).dense(), scores[head], CLOSE)
            assert (contexts.values_cut(layer) > 0) == (part.clip is not None)
            if part.clip is None:
                W_O = weights.W_O[layer, head] if case.decoder.adds else part.W_write[head]
                W_OV = weights.W_V[layer, head] @ W_O
                own_V = part.v.by_head[head * part.v.n_heads // case.decoder.n_heads]
                of_biases = writes[head] * scale - weights.W_E @ W_OV / scale_read
                of_biases = of_biases - part.ln1.linear(added) / scale_ln1 @ own_V @ W_O
                same(of_biases, of_biases[:1].expand_as(of_biases), CLOSE)
        if weights.W_pos is not None:
            q, k = (weights.W_pos @ getattr(weights, name)[layer, 0] for name in ("W_Q", "W_K"))
            positional = positional_circuit(contexts, weights, layer, 0)
            assert positional is not None
            same(positional.dense(), q @ k.T * scale_of_scores(case.model, layer), CLOSE)


def carried(decoder: Decoder, layer: int, W_E: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings through the norms of the stream itself before a layer: what they become, what the
    norms' biases add to that, and what the norms divide by together.
    """
    embedded, added, scale = W_E, torch.zeros_like(W_E), torch.ones_like(W_E[:, :1])
    for norm in decoder.stream_norms(0, layer):
        divided = norm.scale(embedded + added)
        embedded = norm.linear(embedded) / divided
        added = norm.linear(added) / divided + norm.constant(added)
        scale = scale * divided
    return embedded, added, scale


def scale_of_scores(model: PreTrainedModel, layer: int) -> float:
    """What a query times a key is multiplied by, in models that embed positions."""
    cfg = model.config
    if cfg.model_type == "gpt_neo" or not getattr(cfg, "scale_attn_weights", True):
        return 1.0
    by_layer = layer + 1 if getattr(cfg, "scale_attn_by_inverse_layer_idx", False) else 1
    return float((cfg.hidden_size // cfg.num_attention_heads) ** -0.5 / by_layer)


def same(found: Tensor, own: Tensor, close: float) -> None:
    torch.testing.assert_close(found, own, rtol=0, atol=close * max(1.0, own.abs().max().item()))
