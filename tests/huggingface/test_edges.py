"""Gradients at readers are what changes of what they read do; scores of edges follow."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.huggingface.edges import NORMED_AS_A_WHOLE, is_writer
from tests.huggingface.hooked import (
    eap_scores,
    exactly_float64,
    logits_of,
    places_of,
    reader_gradients,
    stream_parts,
)
from tests.huggingface.places import PROJECTIONS, Block, Projection
from tests.huggingface.random_models import KINDS, random_model, random_pairs
from tests.huggingface.runs import Hook, Recording, recorded

FIRST = [(kind, 0) for kind in KINDS]


def text(seed: int) -> Tensor:
    """A text of seven tokens, [1, pos]."""
    return random_pairs(seed)[2].clean[None]


@pytest.mark.parametrize(("kind", "seed"), [*FIRST, ("olmo2", 1), ("olmoe", 1), ("falcon", 2)])
def test_gradients_of_readers_are_differences_of_the_metric(kind: str, seed: int) -> None:
    model, tokens = random_model(kind, seed), text(seed)
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
    model, tokens = random_model(kind, 1), text(1)
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
