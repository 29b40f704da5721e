"""Runs with patched edges, against a twin that goes reader by reader."""

from typing import Any

import pytest
import torch
from mitool.analysis.interventions.decoder import Decoder
from torch import Tensor

from mitool.analysis.interventions.ablate import averaged, means_of, zeroed
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.edges import EdgeRuns, Kept
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.run import Run
from mitool.analysis.interventions.table import EdgeTable
from mitool.pairs import PromptPairs
from tests.analysis.interventions.models import GROUPED, N_POSITIONS, both, pairs, pretrained, toy
from tests.analysis.interventions.twin import Twin, slow_logits

EXACT = {"rtol": 0.0, "atol": 1e-10}

KINDS: dict[str, Any] = {
    "toy": lambda: toy(n_layers=3),
    "bidirectional": lambda: toy(attention_dir="bidirectional", normalization_type="RMS"),
    "attention-only": lambda: toy(n_layers=3, attn_only=True, normalization_type="none"),
    "no positions": lambda: toy(positional="zero", normalization_type="LNPre", n_heads=1),
    "GPT2": lambda: pretrained("GPT2"),
    "GPTNeoX": lambda: pretrained("GPTNeoX", num_hidden_layers=3),
    "Llama": lambda: pretrained("Llama", num_hidden_layers=3, **GROUPED),
    "Qwen3": lambda: pretrained("Qwen3", head_dim=6, **GROUPED),
}


pytestmark = pytest.mark.usefixtures("exact_norms")


def given(n: int, answers: tuple[int, ...] = (5,)) -> PromptPairs:
    """Pairs that differ here and there, and where answers are read."""
    return pairs(n, differ=(1, 3, 5), answers=answers)


def drawn(table: EdgeTable, n_columns: int, densities: tuple[float, ...], seed: int = 2) -> Tensor:
    """A random mask of edges for each density."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(densities), *table.exists.shape, n_columns)
    return torch.rand(shape, generator=generator) < torch.tensor(densities).view(-1, 1, 1, 1)


def neurons_of(decoder: Decoder, table: EdgeTable, densities: tuple[float, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    shape = (len(densities), len(table.writers), decoder.d_model)
    return torch.rand(shape, generator=generator) < torch.tensor(densities).view(-1, 1, 1)


def require_same(
    decoder: Decoder,
    base: Run,
    source: Run,
    answers: tuple[int, ...],
    kept: Kept,
    column_of: Tensor | None = None,
) -> None:
    """The fast way is the slow way, for all variants at once and for each alone."""
    runs = EdgeRuns(decoder, base, source, answers, column_of)
    expected = slow_logits(Twin(decoder, base, source, answers), runs.table, kept, column_of)
    torch.testing.assert_close(runs.logits(kept), expected, **EXACT)
    for number in range(len(kept)):
        alone = runs.logits(kept[number : number + 1])
        torch.testing.assert_close(alone, expected[number : number + 1], **EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answers", [(5,), (1, 3)])
def test_random_edges(kind: str, answers: tuple[int, ...]) -> None:
    decoder, base, source = both(KINDS[kind](), given(2, answers))
    table = EdgeTable(Graph.of(decoder))
    require_same(
        decoder, base, source, answers, Kept(drawn(table, 1, (0.0, 0.1, 0.3, 0.6, 0.95, 1.0)))
    )


@pytest.mark.parametrize("kind", ["toy", "bidirectional", "GPTNeoX", "Llama"])
def test_random_edges_at_each_position_or_span(kind: str) -> None:
    answers = (2, 4)
    decoder, base, source = both(KINDS[kind](), given(2, answers))
    table, column_of = EdgeTable(Graph.of(decoder)), torch.tensor([0, 1, 1, 2, 3, 3])
    edges = drawn(table, 4, (0.1, 0.5, 0.9))
    edges[-1] |= torch.tensor([True, False, True, True])  # patched in one column alone
    require_same(decoder, base, source, answers, Kept(edges), column_of)


@pytest.mark.parametrize("kind", ["toy", "attention-only", "GPTNeoX", "Llama"])
@pytest.mark.parametrize("columns", [1, 3])
def test_random_neurons_of_random_edges(kind: str, columns: int) -> None:
    decoder, base, source = both(KINDS[kind](), given(2))
    table, column_of = EdgeTable(Graph.of(decoder)), torch.tensor([0, 0, 1, 2, 2, 1])
    edges = drawn(table, columns, (1.0, 0.2, 0.7, 0.9, 0.0, 1.0))
    neurons = neurons_of(decoder, table, (1.0, 0.5, 0.8, 0.1, 1.0, 0.0))
    require_same(decoder, base, source, (5,), Kept(edges, neurons), column_of)


@pytest.mark.parametrize("kind", ["toy", "GPTNeoX"])
def test_each_edge_alone_is_away_and_each_alone_is_left(kind: str) -> None:
    """Side by side, so that variants first differ in every layer."""
    decoder, base, source = both(KINDS[kind](), given(1))
    runs = EdgeRuns(decoder, base, source, (5,))
    edges = runs.table.edges[::-8]  # into the logits first, so that the first goes on from last
    alone = torch.stack([runs.table.mask([edge]) for edge in edges])[..., None]
    twin, changed = Twin(decoder, base, source, (5,)), 0
    for kept in (Kept(~alone), Kept(alone)):
        expected = slow_logits(twin, runs.table, kept)
        torch.testing.assert_close(runs.logits(kept), expected, **EXACT)
        changed += int(((expected - base.logits).abs().amax(dim=(1, 2, 3)) > 1e-6).sum())
    assert changed > len(edges) + len(edges) // 3


@pytest.mark.parametrize("kind", ["toy", "attention-only", "GPTNeoX", "Qwen3"])
def test_zeros_and_means_in_place_of_the_other_run(kind: str) -> None:
    decoder, base, source = both(KINDS[kind](), given(3))
    table, group = EdgeTable(Graph.of(decoder)), [Column("all", "", ((0, N_POSITIONS),))]
    kept = Kept(drawn(table, 1, (0.0, 0.3, 0.8)), neurons_of(decoder, table, (1.0, 0.9, 0.6)))
    means = means_of([(source, 0)], group)
    for put in (zeroed(source), averaged(source, means, torch.zeros(N_POSITIONS).long())):
        require_same(decoder, base, put, (5,), kept)
        require_same(decoder, base, put, (5,), Kept(kept.edges))


def test_a_circuit_that_is_joined_to_others_is_the_same() -> None:
    decoder, base, source = both(toy(), given(2))
    column_of = torch.arange(N_POSITIONS)
    runs = EdgeRuns(decoder, base, source, (5,), column_of)
    parts = [
        Kept(drawn(runs.table, 1, (0.4, 0.8))),
        Kept(drawn(runs.table, N_POSITIONS, (0.5,))),
        Kept(drawn(runs.table, 1, (1.0,)), neurons_of(decoder, runs.table, (0.5,))),
    ]
    joined = Kept.joined(parts)
    assert len(joined) == 4
    expected = torch.cat([runs.logits(part) for part in parts])
    torch.testing.assert_close(runs.logits(joined), expected, **EXACT)
    few = torch.tensor([3, 0])
    torch.testing.assert_close(runs.logits(joined[few]), expected[few], **EXACT)
