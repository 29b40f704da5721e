"""Runs with patched edges, against a twin that goes reader by reader."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.analysis.interventions.ablate import averaged, means_of, zeroed
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.edges import EdgeRuns, Kept, written
from mitool.analysis.interventions.graph import Graph, Node
from mitool.analysis.interventions.run import Run
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.errors import InputError
from mitool.models.decoder import Decoder
from mitool.pairs.prompt_pairs import PromptPairs
from tests.analysis.interventions.models import GROUPED, N_POSITIONS, both, pairs, pretrained, toy
from tests.analysis.interventions.twin import Twin, slow_logits
from tests.huggingface.random_models import random_model

EXACT = {"rtol": 0.0, "atol": 1e-10}

OTHERS = {
    **{"gptj": 0, "bloom": 0, "mpt": 1, "falcon": 3, "phi": 0, "gemma2": 1, "gemma3_text": 0},
    **{"olmo2": 0, "olmoe": 0, "granite": 0, "cohere": 0, "cohere2": 1, "stablelm": 0},
    **{"gpt_oss": 0, "smollm3": 0, "opt": 2, "glm4": 0, "hunyuan_v1_dense": 0},
}
"""Architectures, each with the number of a variant of it."""

SOME = ("gptj", "gemma2", "olmo2", "gpt_oss")
"""Those with norms after attention, of all queries together, sinks, windows and parallel blocks."""

KINDS: dict[str, Any] = {
    "toy": lambda: toy(n_layers=3),
    "bidirectional": lambda: toy(attention_dir="bidirectional", normalization_type="RMS"),
    "attention-only": lambda: toy(n_layers=3, attn_only=True, normalization_type="none"),
    "no positions": lambda: toy(positional="zero", normalization_type="LNPre", n_heads=1),
    "GPT2": lambda: pretrained("GPT2"),
    "GPTNeoX": lambda: pretrained("GPTNeoX", num_hidden_layers=3),
    "Llama": lambda: pretrained("Llama", num_hidden_layers=3, **GROUPED),
    "Qwen3": lambda: pretrained("Qwen3", head_dim=6, **GROUPED),
    **{kind: partial(random_model, kind, seed) for kind, seed in OTHERS.items()},
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
    close: Mapping[str, float] = EXACT,
) -> None:
    """The fast way is the slow way, for all variants at once and for each alone."""
    runs = EdgeRuns(decoder, base, source, answers, column_of)
    expected = slow_logits(Twin(decoder, base, source, answers), runs.table, kept, column_of)
    torch.testing.assert_close(runs.logits(kept), expected, **close)
    for number in range(len(kept)):
        alone = runs.logits(kept[number : number + 1])
        torch.testing.assert_close(alone, expected[number : number + 1], **close)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answers", [(5,), (1, 3)])
def test_random_edges(kind: str, answers: tuple[int, ...]) -> None:
    decoder, base, source = both(KINDS[kind](), given(2, answers))
    table = EdgeTable(Graph.of(decoder))
    require_same(
        decoder, base, source, answers, Kept(drawn(table, 1, (0.0, 0.1, 0.3, 0.6, 0.95, 1.0)))
    )


@pytest.mark.parametrize("kind", ["toy", "bidirectional", "GPTNeoX", "Llama", *SOME])
def test_random_edges_at_each_position_or_span(kind: str) -> None:
    answers = (2, 4)
    decoder, base, source = both(KINDS[kind](), given(2, answers))
    table, column_of = EdgeTable(Graph.of(decoder)), torch.tensor([0, 1, 1, 2, 3, 3])
    edges = drawn(table, 4, (0.1, 0.5, 0.9))
    edges[-1] |= torch.tensor([True, False, True, True])  # patched in one column alone
    require_same(decoder, base, source, answers, Kept(edges), column_of)


@pytest.mark.parametrize("kind", ["toy", "attention-only", "GPTNeoX", "Llama", *SOME])
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
    edges = runs.table.edges[::-12]  # into the logits first, so that the first goes on from last
    alone = torch.stack([runs.table.mask([edge]) for edge in edges])[..., None]
    twin, changed = Twin(decoder, base, source, (5,)), 0
    for kept in (Kept(~alone), Kept(alone)):
        expected = slow_logits(twin, runs.table, kept)
        torch.testing.assert_close(runs.logits(kept), expected, **EXACT)
        changed += int(((expected - base.logits).abs().amax(dim=(1, 2, 3)) > 1e-6).sum())
    assert changed > len(edges) + len(edges) // 3


@pytest.mark.parametrize("kind", ["toy", "attention-only", "GPTNeoX", "Qwen3", "olmo2", "gemma2"])
def test_zeros_and_means_in_place_of_the_other_run(kind: str) -> None:
    decoder, base, source = both(KINDS[kind](), given(3))
    table, group = EdgeTable(Graph.of(decoder)), [Column("all", "", ((0, N_POSITIONS),))]
    kept = Kept(drawn(table, 1, (0.0, 0.3, 0.8)), neurons_of(decoder, table, (1.0, 0.9, 0.6)))
    means = means_of([(source, 0)], group)
    for put in (zeroed(source), averaged(source, means, torch.zeros(N_POSITIONS).long())):
        # the norm of what is next to nothing makes rounding a thousand times larger
        require_same(decoder, base, put, (5,), kept, close={"rtol": 0.0, "atol": 1e-8})
        require_same(decoder, base, put, (5,), Kept(kept.edges), close={"rtol": 0.0, "atol": 1e-8})


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


@pytest.mark.parametrize("kind", OTHERS)
def test_all_edges_carry_the_other_run_over_and_none_changes_nothing(kind: str) -> None:
    decoder, base, source = both(KINDS[kind](), given(2))
    runs = EdgeRuns(decoder, base, source, (5,))
    torch.testing.assert_close(runs.patched(runs.table.edges), source.logits[None], **EXACT)
    torch.testing.assert_close(runs.patched([]), base.logits[None], **EXACT)
    from_input = [edge for edge in runs.table.edges if edge.source.kind == "input"]
    torch.testing.assert_close(runs.patched(from_input), source.logits[None], **EXACT)


@pytest.mark.parametrize("kind", [*SOME, "toy", "granite", "glm4"])
def test_what_is_written_adds_up_to_what_attention_writes(kind: str) -> None:
    decoder, base, _ = both(KINDS[kind](), given(2))
    graph, total = Graph.of(decoder), base.read.resid_pre
    for number, (layer, own) in enumerate(zip(decoder.layers, base.layers, strict=True)):
        heads = [written(decoder, base, Node("a", number, h)) for h in range(graph.n_heads)]
        whole = torch.stack(heads).sum(dim=0) + layer.written_besides(own.z)
        torch.testing.assert_close(whole, own.attn_out, **EXACT)
        total = total + whole + written(decoder, base, Node("m", number))
    torch.testing.assert_close(total, base.resid_pre(decoder.n_layers), **EXACT)


@pytest.mark.parametrize("variant", [1, 3, 5])
def test_a_stream_that_is_no_sum_has_no_edges(variant: int) -> None:
    decoder, base, source = both(random_model("opt", variant), given(2))
    with pytest.raises(InputError, match="OPTForCausalLM: patching along edges expects"):
        EdgeRuns(decoder, base, source, (5,))
