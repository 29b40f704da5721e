"""The true edges of planted models are those that the answer depends on."""

import pytest
import torch

from mitool.analysis.circuits.attribution import contracted, gradients_at
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.edges import written
from mitool.analysis.interventions.graph import Edge
from mitool.analysis.interventions.run import Run
from mitool.planted import NAMES
from tests.analysis.circuits.benches import bench_of
from tests.planted.patched import Patched, patched

ROUNDING = 1e-4
"""Of the gap between the runs, which are in float32."""


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_names_edges_of_the_model_each_once(name: str) -> None:
    found = patched(name)
    assert sorted(map(str, found.truth)) == sorted(found.planted.truth)
    assert 15 * len(found.truth) < len(found.others)


@pytest.mark.parametrize("name", NAMES)
def test_with_all_other_edges_corrupted_the_answer_is_the_clean_runs(name: str) -> None:
    found = patched(name)
    kept = found.with_corrupted(found.others)
    torch.testing.assert_close(kept, found.whole, rtol=0, atol=ROUNDING * found.gap)


@pytest.mark.parametrize("name", NAMES)
def test_with_the_true_edges_corrupted_the_answer_is_the_corrupted_runs(name: str) -> None:
    found = patched(name)
    lost = found.metric(found.corrupted.logits)
    edges = found.with_corrupted(found.truth)
    torch.testing.assert_close(edges, lost, rtol=0, atol=ROUNDING * found.gap)


@pytest.mark.parametrize("name", NAMES)
def test_every_true_edge_is_needed(name: str) -> None:
    """In the clean run, of a head that has a backup without that."""
    found = patched(name)
    for edge in found.truth:
        without = _other_alternatives(found, edge)
        before, after = found.with_corrupted(without), found.with_corrupted([*without, edge])
        assert (before - after).abs().max() > 0.5 * found.gap, edge
        assert (before - after).mean() > 0.1 * found.gap, edge


@pytest.mark.parametrize("name", NAMES)
def test_no_other_edge_does_anything(name: str) -> None:
    found = patched(name)
    for edge in found.others[::3]:
        change = (found.with_corrupted([edge]) - found.whole).abs().max()
        assert change < ROUNDING * found.gap, edge


def test_each_of_two_heads_is_enough_and_alone_none_is_missed() -> None:
    found = patched("backup")
    assert found.planted.alternatives == ("L0H0", "L1H3")
    for head in found.planted.alternatives:
        its = [edge for edge in found.truth if head in (str(edge.source), str(edge.target))]
        assert len(its) == 2
        alone = found.with_corrupted([*found.others, *its])
        torch.testing.assert_close(alone, found.whole, rtol=0, atol=ROUNDING * found.gap)


@pytest.mark.parametrize("name", ["and", "backup"])
def test_gradients_at_either_input_miss_what_feeds_a_step(name: str) -> None:
    found = patched(name)
    *before, last = found.planted.truth
    assert last == "MLP1->logits"
    for at in (found.clean, found.corrupted):
        scores = _attributed(found, at)
        assert scores[last] == pytest.approx(found.gap, rel=1e-4)
        assert max(abs(scores[edge]) for edge in before) < ROUNDING * found.gap


def test_gradients_take_a_decoy_for_a_part_of_the_circuit() -> None:
    found = patched("decoy")
    decoy = {"input->L1H3<v>", "L1H3->MLP1"}
    *before, _ = found.planted.truth
    scores = _attributed(found, found.clean)
    assert min(abs(scores[edge]) for edge in decoy) > max(abs(scores[edge]) for edge in before)
    for edge in found.graph.matching(sorted(decoy), "decoy"):
        change = (found.with_corrupted([edge]) - found.whole).abs().max()
        assert change < ROUNDING * found.gap


@pytest.mark.parametrize("name", NAMES)
def test_distractors_are_alive(name: str) -> None:
    found = patched(name)
    assert len(found.distractors) >= 7
    for node in found.distractors:
        clean, corrupted = (
            written(found.decoder, run, node) for run in (found.clean, found.corrupted)
        )
        assert (clean - corrupted).norm(dim=-1).max() > 0.5, node


@pytest.mark.parametrize("name", NAMES)
def test_distractors_read_each_other(name: str) -> None:
    """What an early one writes in the other run changes what a later one moves."""
    found = patched(name)
    early, late = (
        [node for node in found.distractors if node.kind == "a" and node.layer == layer]
        for layer in (0, 1)
    )
    own, x = found.decoder.layers[1], found.clean.resid_pre(1)
    for node in early:
        other = x + written(found.decoder, found.corrupted, node)
        other = other - written(found.decoder, found.clean, node)
        change = own.v(other) - own.v(x)
        assert all(change[:, head.head].abs().max() > 0.1 for head in late)


def _attributed(found: Patched, at: Run) -> dict[str, float]:
    """Mean scores of edges by edge attribution patching, with the gradient at a run's input."""
    bench = bench_of(found.planted.model, found.planted.pairs)
    units = Units(bench.table, "edge", found.decoder.d_model)
    (chunk,) = bench.chunks()
    values = contracted(units, chunk, gradients_at(chunk, at.read.resid_pre)) / len(found.whole)
    return dict(zip(units.names, units.listed(values).tolist(), strict=True))


def _other_alternatives(found: Patched, edge: Edge) -> list[Edge]:
    ends = (str(edge.source), str(edge.target))
    if not set(ends) & set(found.planted.alternatives):
        return []
    others = set(found.planted.alternatives) - set(ends)
    return [e for e in found.truth if others & {str(e.source), str(e.target)}]
