"""The oracle is right: its parts add up, and what it says of changes is what changes do."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.huggingface import random_models
from tests.huggingface.hooked import (
    activations,
    direct_attribution,
    logits_of,
    patched_logits,
    places_of,
    stream_parts,
)
from tests.huggingface.random_models import (
    KINDS,
    OTHERS,
    n_variants,
    random_model,
    random_pairs,
    text_of,
)
from tests.huggingface.runs import recorded

VARIANTS = [(kind, seed) for kind in KINDS for seed in range(n_variants(kind))]
OF_OTHERS = [(kind, 0) for kind in OTHERS]
FIRST = [(kind, 0) for kind in KINDS]


def texts(seed: int) -> Tensor:
    """A clean and a corrupted text of seven tokens, [2, pos]."""
    pair = random_pairs(seed)[2]
    return torch.stack([pair.clean, pair.corrupted])


@pytest.mark.parametrize(("kind", "seed"), [*VARIANTS, *OF_OTHERS])
def test_parts_add_up_to_the_stream_wherever_it_is_read(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), texts(seed)
    parts, run = stream_parts(model, tokens), recorded(model, tokens)
    sums = [sum(found.values()) for found in (*parts.attn_reads, *parts.mlp_reads, parts.final)]
    streams = [*run.attn_reads, *run.mlp_reads, run.resid_post[-1]]
    for found, stream in zip(sums, streams, strict=True):
        torch.testing.assert_close(found, stream.view(*tokens.shape, -1), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind", "seed"), [*VARIANTS, *OF_OTHERS])
def test_direct_attribution_adds_up_to_the_logit_difference(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), texts(seed)
    last = logits_of(model, tokens)[:, -1]
    cap = getattr(model.config, "final_logit_softcapping", None)
    uncapped = cap * torch.atanh(last / cap) if cap else last
    shares = direct_attribution(model, tokens, right=5, wrong=9)
    torch.testing.assert_close(
        torch.stack(list(shares.values())).sum(dim=0),
        uncapped[:, 5] - uncapped[:, 9],
        rtol=0,
        atol=1e-10,
    )


@pytest.mark.parametrize(("kind", "seed"), [*FIRST, ("opt", 1), ("bloom", 1), ("granite", 1)])
def test_a_part_patched_with_its_own_value_changes_nothing(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), texts(seed)
    own = activations(model, tokens)
    for layer in range(len(own.z)):
        found = [
            patched_logits(model, tokens, layer, "z", own.z[layer, :, 2, 1], head=1, position=2),
            patched_logits(model, tokens, layer, "attn_out", own.attn_out[layer]),
            patched_logits(model, tokens, layer, "mlp_out", own.mlp_out[layer, :, 3], position=3),
            patched_logits(model, tokens, layer, "resid_pre", own.resid_pre[layer]),
            patched_logits(model, tokens, layer, "resid_post", own.resid_post[layer]),
        ]
        for logits in found:
            torch.testing.assert_close(logits, own.logits, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind", "seed"), FIRST)
def test_the_whole_stream_of_another_text_gives_its_logits(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), texts(seed)
    of_both = activations(model, tokens)
    logits = patched_logits(model, tokens[:1], 1, "resid_pre", of_both.resid_pre[1, 1:])
    torch.testing.assert_close(logits, of_both.logits[1:], rtol=0, atol=1e-10)
    assert (of_both.logits[0, -1] - of_both.logits[1, -1]).abs().max() > 1e-3


@pytest.mark.parametrize(("kind", "seed"), FIRST)
def test_a_head_without_z_is_one_without_its_rows_of_the_output_projection(
    kind: str, seed: int
) -> None:
    model, tokens = random_model(kind, seed), texts(seed)
    patched = patched_logits(model, tokens, 1, "z", torch.zeros(()), head=2)
    cut = copy.deepcopy(model)
    places = places_of(cut)
    out = places.blocks[1].o
    weight = out.weight
    assert isinstance(weight, Tensor)
    rows = weight if kind == "gpt2" else weight.T
    rows[2 * places.d_head : 3 * places.d_head] = 0.0
    torch.testing.assert_close(patched, logits_of(cut, tokens), rtol=0, atol=1e-10)
    assert (patched - logits_of(model, tokens)).abs().max() > 1e-4


def test_in_float64_a_norm_by_hand_agrees_and_as_written_it_does_not() -> None:
    model, tokens = random_model("llama", 0), texts(0)
    run = recorded(model, tokens)
    final = run.resid_post[-1]
    norm = model.model.norm
    normed = final / (final.square().mean(-1, keepdim=True) + norm.variance_epsilon).sqrt()
    by_hand = (normed * norm.weight) @ model.lm_head.weight.T
    torch.testing.assert_close(run.logits, by_hand, rtol=0, atol=1e-12)
    with torch.no_grad():
        as_written = model(tokens, use_cache=False).logits
    assert 1e-9 < (as_written - run.logits).abs().max() < 1e-5


def test_saved_models_read_the_texts_of_pairs(tmp_path: Path) -> None:
    model = random_model("gpt_neox", 0)
    folder = random_models.save(model, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    saved = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    for pair in random_pairs(4):
        assert tokenizer(text_of(pair.clean))["input_ids"] == pair.clean.tolist()
        assert len(pair.clean) == len(pair.corrupted)
        assert not torch.equal(pair.clean, pair.corrupted)
        with torch.no_grad():
            logits = saved(pair.clean[None], use_cache=False).logits
        exact = logits_of(model, pair.clean[None])
        torch.testing.assert_close(logits.double(), exact, rtol=0, atol=1e-4)
    path = random_models.write_pairs(tmp_path / "pairs.csv", random_pairs(4))
    assert path.read_text().splitlines()[0] == "clean,corrupted,correct,incorrect"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_model_with_no_parameter_left_out(kind: str) -> None:
    torch.manual_seed(0)
    first = random_model(kind, 0).state_dict()
    torch.manual_seed(1)
    second = random_model(kind, 0).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(value.std() > 0.01 for name, value in first.items() if "weight" in name)
