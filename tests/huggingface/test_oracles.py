"""The oracle is right: its parts add up, and what it says of changes is what changes do."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from tests.huggingface import random_models
from tests.huggingface.edges import NORMED_AS_A_WHOLE, is_writer
from tests.huggingface.hooked import (
    activations,
    direct_attribution,
    eap_scores,
    exactly_float64,
    logits_of,
    one_token_scores,
    one_token_writes,
    patched_logits,
    places_of,
    reader_gradients,
    stream_parts,
)
from tests.huggingface.places import PROJECTIONS, Block, Projection
from tests.huggingface.random_models import (
    KINDS,
    OTHERS,
    n_variants,
    random_model,
    random_pairs,
    text_of,
)
from tests.huggingface.runs import Hook, Recording, recorded

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
    rows = out.weight if kind == "gpt2" else out.weight.T
    rows[2 * places.d_head : 3 * places.d_head] = 0.0
    torch.testing.assert_close(patched, logits_of(cut, tokens), rtol=0, atol=1e-10)
    assert (patched - logits_of(model, tokens)).abs().max() > 1e-4


@pytest.mark.parametrize(("kind", "seed"), [*FIRST, ("olmo2", 1), ("olmoe", 1), ("falcon", 2)])
def test_gradients_of_readers_are_differences_of_the_metric(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), texts(seed)[:1]
    gradients = reader_gradients(model, tokens, difference)
    with torch.no_grad():
        run = recorded(model, tokens)
    generator = torch.Generator().manual_seed(seed)
    along = torch.randn(run.resid_pre[0].shape, generator=generator, dtype=torch.float64)
    for names, change in _changes(model, run, 1, along):
        measured = _slope(model, tokens, change)
        expected = sum((gradients[name] * along).sum().item() for name in names)
        assert measured == pytest.approx(expected, rel=1e-4, abs=1e-7), names


@pytest.mark.parametrize("kind", NORMED_AS_A_WHOLE)
@pytest.mark.parametrize("letter", PROJECTIONS)
def test_slices_and_copies_are_the_same_over_all_heads(kind: str, letter: str) -> None:
    model, tokens = random_model(kind, 1), texts(1)[:1]
    by_slices = reader_gradients(model, tokens, difference, "slices")
    by_copies = reader_gradients(model, tokens, difference, "copies")
    heads = [name for name in by_slices if name.startswith("a0") and letter in name]
    sums = [torch.stack([of[name] for name in heads]).sum(0) for of in (by_slices, by_copies)]
    torch.testing.assert_close(*sums, rtol=0, atol=1e-12)
    apart = max((by_slices[name] - by_copies[name]).abs().max().item() for name in heads)
    assert apart > 1e-6 if letter != "v" else apart == 0.0


def difference(logits: Tensor) -> Tensor:
    return logits[:, -1, 5] - logits[:, -1, 9]


Change = Callable[[float], Hook]
"""How a reader alone reads the stream some way along a direction."""


def _changes(
    model: PreTrainedModel, run: Recording, layer: int, along: Tensor
) -> Iterator[tuple[list[str], Change]]:
    """Readers of a layer, and the change of the run that each is."""
    places = places_of(model)
    block = places.blocks[layer]
    for letter in PROJECTIONS:
        columns = block.columns[letter]
        n_sharing = places.n_heads // len(columns)
        for group, own in enumerate(columns):
            heads = range(group * n_sharing, (group + 1) * n_sharing)
            change = _change_of_projection(block, letter, own, run.attn_reads[layer], along)
            yield [f"a{layer}.h{head}<{letter}>" for head in heads], change
    yield [f"m{layer}"], _change_of_mlp(block, run.mlp_reads[layer], along)
    last = places.final_norm
    if last is not None:
        yield ["logits"], lambda size: Hook(last, "input", lambda x: x + size * along)


def _change_of_projection(
    block: Block, letter: Projection, columns: Tensor, stream: Tensor, along: Tensor
) -> Change:
    def change(size: float) -> Hook:
        with torch.no_grad(), exactly_float64():
            moved = stream + size * along
            normed = block.attn_norm(moved) if block.attn_norm else moved
            new = block.projection(letter)(normed)

        def put(x: Tensor) -> Tensor:
            changed = x.clone()
            changed[..., columns] = new[..., columns]
            return changed

        return Hook(block.projection(letter), "output", put)

    return change


def _change_of_mlp(block: Block, stream: Tensor, along: Tensor) -> Change:
    """By the input of the norm, if it is the MLP's own; else by that of the MLP."""

    def change(size: float) -> Hook:
        moved = stream + size * along.view(stream.shape)
        with torch.no_grad(), exactly_float64():
            normed = block.mlp_norm(moved) if block.mlp_norm else moved
        return Hook(first, "input", lambda _: normed)

    first = block.mlp_in or block.mlp
    return change


def _slope(model: PreTrainedModel, tokens: Tensor, change: Change, step: float = 1e-5) -> float:
    with torch.no_grad():
        up, down = (difference(logits_of(model, tokens, [change(s)])) for s in (step, -step))
    return (up - down).item() / (2 * step)


@pytest.mark.parametrize("kind", ["llama", "gemma2", "opt"])
def test_edges_into_the_logits_are_what_parts_lose(kind: str) -> None:
    model, pair = random_model(kind, 1), random_pairs(1)[2]
    scores = eap_scores(model, [pair])
    gradient = reader_gradients(
        model, pair.clean[None], lambda x: x[:, -1, pair.right] - x[:, -1, pair.wrong]
    )["logits"]
    clean, corrupted = (stream_parts(model, x[None]).final for x in (pair.clean, pair.corrupted))
    writers = [name for name in clean if is_writer(name)]
    assert [edge for edge in scores if edge.endswith("->logits")] == [
        f"{writer}->logits" for writer in writers
    ]
    for writer in writers:
        lost = (gradient * (clean[writer] - corrupted[writer])).sum().item()
        assert scores[f"{writer}->logits"] == pytest.approx(lost, abs=1e-12)


def test_scores_of_edges_are_means_over_pairs() -> None:
    model, pairs = random_model("llama", 0), random_pairs(3)[:2]
    apart = [eap_scores(model, [pair]) for pair in pairs]
    for edge, score in eap_scores(model, pairs).items():
        assert score == pytest.approx((apart[0][edge] + apart[1][edge]) / 2, abs=1e-12)


def test_nothing_reads_what_is_written_after_it() -> None:
    scores = eap_scores(random_model("gptj", 0), random_pairs(0)[:1])
    assert "a0.h0->m0" not in scores, "in a parallel block"
    assert {"input->m0", "m0->a1.h3<v>", "a0.h0->m1", "m1->logits"} <= set(scores)
    assert "a0.h0->m0" in eap_scores(random_model("llama", 0), random_pairs(0)[:1])


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
    tokens = torch.arange(random_models.D_VOCAB)[:, None]
    with torch.no_grad():
        stream = recorded(model, tokens).resid_pre[0][:, 0]
    positions = places_of(model).positions
    return stream if positions is None else stream - positions.weight[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "gpt_oss"])
def test_heads_write_for_single_tokens_what_they_write_in_texts_of_one(kind: str) -> None:
    model = random_model(kind, 0)
    places = places_of(model)
    if places.positions is not None:
        places.positions.weight.zero_()
    out = places.blocks[0].o
    run = recorded(model, torch.arange(random_models.D_VOCAB)[:, None])
    bias = 0.0 if getattr(out, "bias", None) is None else out.bias
    expected = (run.attn_raw[0][:, 0] - bias) * places.blocks[0].multiplier
    found = one_token_writes(model, 0).sum(dim=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


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
