"""Exact patching against one run for each unit, on the slow twin; what is put in for ablations."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mitool.analysis.circuits.audit import audit
from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.methods.exact import exact, exact_of
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.interventions.ablate import columns_at
from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import columns_of
from mitool.analysis.interventions.material import Material
from mitool.analysis.metrics import METRICS
from mitool.core.node_names import published
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.settings import Ablation
from tests.analysis.circuits.benches import LEVELS, bench_of, scoring_of
from tests.analysis.interventions.models import GROUPED, Model, pairs, parts_of, pretrained, toy
from tests.analysis.interventions.twin import Twin, slow_logits
from tests.huggingface.parts import stream_parts
from tests.huggingface.random_models import random_model

pytestmark = pytest.mark.usefixtures("exact_norms")

EXACT = {"rtol": 0.0, "atol": 1e-10}

KINDS: dict[str, Any] = {
    "toy": lambda: toy(),
    "bidirectional": lambda: toy(attention_dir="bidirectional"),
    "GPTNeoX": lambda: pretrained("GPTNeoX"),
    "Llama": lambda: pretrained("Llama", **GROUPED),
    **{kind: partial(random_model, kind, 0) for kind in ("gemma2", "olmo2", "gpt_oss")},
}

WRITERS = ("input", "L1H2", "MLP0")


def one_by_one(scoring: Scoring, chosen: Tensor) -> Tensor:
    """The mean decrease of the metric, from a whole run of the twin for each of some units."""
    units, bench = scoring.units, scoring.bench
    all_but_one = ~torch.eye(len(units), dtype=torch.bool)[chosen]
    kept, total = units.kept(all_but_one), torch.zeros(len(chosen), dtype=torch.float64)
    if units.level == "node":  # a node that is patched goes on reading
        kept.edges[:] = units.table.exists[None, :, :, None]
        kept.edges[:] &= all_but_one[:, None, :, None]
    for chunk in bench.chunks():
        twin = Twin(chunk.decoder, chunk.base, chunk.source, chunk.positions)
        judged, column_of = chunk.judged, chunk.column_of
        full = judged.metric(twin.logits()[None], judged.pairs, judged.clean)
        logits = slow_logits(twin, units.table, kept, column_of)
        total += (full - judged.metric(logits, judged.pairs, judged.clean)).sum(dim=1)
    return total / len(bench)


def of_two_lengths() -> list[PromptPairs]:
    """Pairs of six tokens that differ from the second on, and of four that differ at the third."""
    long, short = pairs(n=2, differ=(1, 2, 4)), pairs(n=3, differ=(3,))
    cut = slice(1, 5)
    moved = PromptPairs(
        short.clean[:, cut],
        short.corrupted[:, cut],
        (3,),
        short.right,
        short.wrong,
        short.index + 2,
    )
    return [long, moved]


def bench_of_groups(
    model: Model,
    given: list[PromptPairs],
    ablation: Ablation,
    *,
    by_position: bool,
    memory: int = 2**24,
) -> Bench:
    groups, columns = columns_of(given, str)
    material = Material("pairs", parts_of(model), groups, columns, METRICS["logit-diff"], str)
    chosen = torch.cat([group.index for group in groups]).sort().values
    return Bench(material, chosen, ablation, Budget(memory), by_position)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_each_unit_alone(kind: str, level: str) -> None:
    of = LEVELS[level]
    given = pairs(n=2, differ=(1, 3, 5) if level == "node" else (1, 3), answers=(3, 5))
    bench = bench_of(KINDS[kind](), given, by_position=level == "position")
    scoring = scoring_of(bench, of)
    drawn = torch.Generator().manual_seed(0)
    some = torch.randperm(len(scoring.units), generator=drawn)[:50]
    expected = one_by_one(scoring, some)
    assert int((expected.abs() > 1e-6).sum()) > len(expected) // 8
    torch.testing.assert_close(exact(scoring)[some], expected, **EXACT)
    torch.testing.assert_close(exact_of(scoring, some), expected, **EXACT)


@pytest.mark.parametrize("level", LEVELS)
def test_batches_change_nothing_but_how_often_it_runs(level: str) -> None:
    of = LEVELS[level]
    model, told = toy(n_heads=2), list[int]()
    found = []
    for memory in (2**24, 2**16, 1):
        bench = bench_of(model, pairs(n=3), by_position=level == "position", memory=memory)
        told.clear()
        scoring = scoring_of(bench, of, done=told.append)
        found.append(exact(scoring))
        assert sum(told) == len(scoring.units) * len(bench)
    assert len(list(bench.chunks())) == len(bench)
    torch.testing.assert_close(found[1], found[0], **EXACT)
    torch.testing.assert_close(found[2], found[0], **EXACT)


@pytest.mark.parametrize("ablation", ["patch", "zero", "mean", "mean-positional"])
def test_pairs_of_several_lengths_at_each_column(ablation: Ablation) -> None:
    bench = bench_of_groups(toy(), of_two_lengths(), ablation, by_position=True)
    assert len({group.clean.shape[1] for group in bench.material.groups}) == 2
    assert len(bench.material.columns) > 2
    scoring = scoring_of(bench)
    some = torch.arange(0, len(scoring.units), 7)  # edges and columns of every kind
    expected = one_by_one(scoring, some)
    torch.testing.assert_close(exact_of(scoring, some), expected, **EXACT)
    assert expected.abs().max() > 1e-3


@pytest.mark.parametrize("ablation", ["mean", "mean-positional"])
@pytest.mark.parametrize("kind", ["GPTNeoX", "Llama", "gemma2", "olmo2"])
def test_means_are_those_of_each_writer(kind: str, ablation: Ablation) -> None:
    """By the model's own modules on the clean inputs, counted token by token."""
    model = KINDS[kind]()
    assert isinstance(model, PreTrainedModel)
    bench = bench_of_groups(model, of_two_lengths(), ablation, by_position=False)
    material = bench.material
    seen: dict[tuple[str, int], list[Tensor]] = {}
    places = []
    for group, given in enumerate(material.groups):
        parts = stream_parts(model, given.clean).final
        column_of = columns_at(material.columns, group, given.clean.shape[1])
        column_of = column_of if ablation == "mean-positional" else torch.zeros_like(column_of)
        places.append(column_of)
        for pair in range(len(given)):
            for position, column in enumerate(column_of.tolist()):
                for name in WRITERS:
                    seen.setdefault((name, column), []).append(
                        parts[published(name)][pair, position]
                    )
    for chunk in bench.chunks():
        runs = chunk.edge_runs
        for name in WRITERS:
            writer = [str(node) for node in runs.table.writers].index(name)
            found = runs.source_written[writer]
            for position, column in enumerate(places[chunk.group].tolist()):
                expected = torch.stack(seen[name, column]).mean(dim=0).expand_as(found[:, position])
                torch.testing.assert_close(found[:, position], expected, **EXACT)


def test_zeros_leave_nothing_but_what_attention_writes_of_itself() -> None:
    bench = bench_of(toy(), pairs(n=2), "zero")
    decoder, units = bench.material.decoder, scoring_of(bench).units
    (chunk,) = bench.chunks()
    logits = chunk.edge_runs.logits(units.kept(torch.zeros(1, len(units), dtype=torch.bool)))
    biases = sum(layer.b_O for layer in decoder.layers)
    expected = decoder.unembed(torch.as_tensor(biases)).expand_as(logits)
    torch.testing.assert_close(logits, expected, **EXACT)
    assert expected.std(dim=-1).min() > 0.1


def test_an_audit_patches_a_sample_of_units() -> None:
    scoring = scoring_of(bench_of(toy(), pairs(n=2)))
    scores = exact(scoring)
    same = audit(scoring, scores, 20)
    assert len(same.units.unique()) == 20
    assert same.units.tolist() == sorted(same.units.tolist())
    torch.testing.assert_close(same.exact, scores[same.units], **EXACT)
    assert same.pearson == pytest.approx(1, abs=1e-9)
    assert same.sign_agreement == 1
    against = audit(scoring, -(scores**3), len(scores) + 1)
    assert against.units.tolist() == list(range(len(scores)))
    assert against.spearman == pytest.approx(-1, abs=1e-3)  # rounding ranks what is 0
    assert against.sign_agreement == 0
