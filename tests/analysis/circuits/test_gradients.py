"""Attribution against autograd, one edge and one point at a time, on the slow twin."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from mitool.analysis.circuits.attribution import gradients_at
from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.gradients import Start
from mitool.analysis.circuits.methods import METHODS
from mitool.analysis.interventions.chunk import Chunk
from mitool.settings import Ablation, MethodName, MetricName
from tests.analysis.circuits.benches import bench_of, scoring_of
from tests.analysis.circuits.test_exact import bench_of_groups, of_two_lengths
from tests.analysis.interventions.models import GROUPED, linear, pairs, pretrained, toy
from tests.analysis.interventions.twin import Twin, names_of
from tests.huggingface.random_models import random_model

pytestmark = pytest.mark.usefixtures("exact_norms")

EXACT = {"rtol": 0.0, "atol": 1e-10}
STEPS = 3

VARIANTS = {"gptj": 0, "bloom": 0, "gemma2": 0, "olmo2": 0, "gpt_oss": 0, "stablelm": 0, "opt": 2}
"""Architectures, each with the number of a variant of it."""

KINDS: dict[str, Any] = {
    "toy": lambda: toy(),
    "attention-only": lambda: toy(attn_only=True, attention_dir="bidirectional"),
    "GPTNeoX": lambda: pretrained("GPTNeoX"),
    "Llama": lambda: pretrained("Llama", **GROUPED),
    **{kind: partial(random_model, kind, seed) for kind, seed in VARIANTS.items()},
}

Point = Mapping[str, Tensor]
"""What is added to what writers write."""


def chunk_of(bench: Bench) -> Chunk:
    (chunk,) = bench.chunks()
    return chunk


def derivatives(chunk: Chunk, point: Point) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The metric's gradient at what each reader reads and at what each writer writes."""
    readers, writers = names_of(chunk.edge_runs.table)
    shape = chunk.base.read.resid_pre.shape
    reading, writing = (
        {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name in names}
        for names in (readers, writers)
    )
    written = {name: leaf + point.get(name, 0.0) for name, leaf in writing.items()}
    twin = Twin(chunk.decoder, chunk.base, chunk.source, chunk.positions, written, reading)
    judged = chunk.judged
    metric = judged.metric(twin.logits()[None], judged.pairs, judged.clean).sum()
    leaves = [*reading.values(), *writing.values()]
    found = torch.autograd.grad(metric, leaves, allow_unused=True, materialize_grads=True)
    return (
        dict(zip(reading, found[: len(readers)], strict=True)),
        dict(zip(writing, found[len(readers) :], strict=True)),
    )


def changes(chunk: Chunk) -> dict[str, Tensor]:
    """What each writer writes in the source less what it writes in the clean run."""
    twin = Twin(chunk.decoder, chunk.base, chunk.source, chunk.positions)
    twin.logits()
    return {name: twin.in_source(name) - own for name, own in twin.written.items()}


def layers_of(writers: Sequence[str]) -> Iterator[list[str]]:
    """The input, the heads of each layer, its MLP."""
    place = {name: name.partition("H")[0] for name in writers}
    for one in dict.fromkeys(place.values()):
        yield [name for name in writers if place[name] == one]


def points_of(method: MethodName, change: Point) -> Iterator[tuple[list[str], list[Point]]]:
    """Writers, and where the gradients that score them are taken, by the methods' definitions."""
    shares = [1 - step / STEPS for step in range(STEPS)]
    match method:
        case "eap":
            yield list(change), [{}]
        case "clean-corrupted":
            yield list(change), [{}, {"input": change["input"]}]
        case "eap-ig":
            yield list(change), [{"input": share * change["input"]} for share in shares]
        case "eap-ig-activations":
            for group in layers_of(list(change)):
                yield group, [{name: share * change[name] for name in group} for share in shares]


def slow_scores(chunk: Chunk, method: MethodName) -> dict[str, float]:
    """Scores of all edges, edges at positions, nodes and neurons, by their names."""
    change, found = changes(chunk), dict[str, float]()
    n = len(chunk.judged.pairs)
    for writers, points in points_of(method, change):
        each = [derivatives(chunk, point) for point in points]
        for writer in writers:
            for reader in each[0][0]:
                at = sum(read[reader] for read, _ in each) / len(each)
                by_position = -(at * change[writer]).sum(dim=(0, 2)) / n
                found[f"{writer}->{reader}"] = by_position.sum().item()
                for place, value in enumerate(by_position.tolist()):
                    found[f"{writer}->{reader}@p{place}"] = value
            behind = sum(written[writer] for _, written in each) / len(each)
            neurons = -(behind * change[writer]).sum(dim=(0, 1)) / n
            found[writer] = neurons.sum().item()
            found |= {f"{writer}[{i}]": value for i, value in enumerate(neurons.tolist())}
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["logit-diff", "kl"])
def test_gradients_wherever_the_stream_begins(kind: str, metric: MetricName) -> None:
    chunk = chunk_of(bench_of(KINDS[kind](), pairs(n=2, answers=(3, 5)), metric=metric))
    base, decoder = chunk.base, chunk.decoder
    readers, writers = names_of(chunk.edge_runs.table)
    change, starts = changes(chunk), {"input": (Start(), base.read.resid_pre)}
    for layer in range(decoder.n_layers):
        behind = Start(layer + 1), base.resid_pre(layer + 1)
        mid = Start(layer, "mid"), base.layers[layer].resid_mid
        starts[f"L{layer}H1"] = behind if decoder.is_parallel else mid
        if decoder.has_mlp:
            starts[f"MLP{layer}"] = behind
    for writer, (start, stream) in starts.items():
        found = gradients_at(chunk, stream + change[writer], start)
        expected, _ = derivatives(chunk, {writer: change[writer]})
        reads = chunk.edge_runs.table.exists[:, writers.index(writer)].tolist()
        for reader, row, is_behind in zip(readers, found, reads, strict=True):
            wanted = expected[reader] if is_behind else torch.zeros_like(row)
            message = f"{reader} behind {writer}"
            torch.testing.assert_close(row, wanted, **EXACT, msg=message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["eap", "eap-ig", "eap-ig-activations", "clean-corrupted"])
def test_scores_at_every_level(kind: str, method: MethodName) -> None:
    bench = bench_of(KINDS[kind](), pairs(n=2), metric="prob-diff", by_position=True)
    expected, flat = (
        slow_scores(chunk_of(bench), method),
        bench_of(KINDS[kind](), pairs(n=2), metric="prob-diff"),
    )
    for scoring in (
        scoring_of(bench, "edge", ig_steps=STEPS),
        scoring_of(flat, "edge", ig_steps=STEPS),
        scoring_of(flat, "node", ig_steps=STEPS),
        scoring_of(flat, "neuron", ig_steps=STEPS),
    ):
        found = METHODS[method].score(scoring)
        wanted = torch.tensor([expected[name] for name in scoring.units.names], dtype=torch.float64)
        torch.testing.assert_close(found, wanted, **EXACT, msg=scoring.units.level)
        assert found.abs().max() > 1e-4


@pytest.mark.parametrize("ablation", ["patch", "zero", "mean"])
def test_on_a_linear_model_every_method_is_exact_patching_at_every_level(
    ablation: Ablation,
) -> None:
    given, model = pairs(n=3), linear()
    for level in ("edge", "position", "node", "neuron"):
        bench = bench_of(model, given, ablation, by_position=level == "position")
        scoring = scoring_of(bench, "edge" if level == "position" else level, ig_steps=STEPS)
        exact = METHODS["exact"].score(scoring)
        assert exact.abs().max() > 0.02
        for method in METHODS.values():
            if method.by_gradients and (ablation == "patch" or not method.between_inputs):
                found = method.score(scoring)
                torch.testing.assert_close(found, exact, **EXACT, msg=f"{method.name} {level}")


@pytest.mark.parametrize(("memory", "ablation"), [(2**24, "mean-positional"), (1, "patch")])
def test_columns_of_several_positions_in_pairs_of_several_lengths(
    memory: int, ablation: Ablation
) -> None:
    """A column's score is the sum of its positions', whatever they are in each length."""
    given = of_two_lengths()
    bench = bench_of_groups(linear(), given, ablation, by_position=True, memory=memory)
    widths = [stop - start for c in bench.material.columns for start, stop in c.spans]
    assert max(widths) > 1
    scoring = scoring_of(bench)
    exact = METHODS["exact"].score(scoring)
    torch.testing.assert_close(METHODS["eap"].score(scoring), exact, **EXACT)
    assert exact.abs().max() > 0.02


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in VARIANTS])
def test_integrated_over_activations_each_layers_scores_sum_to_what_its_patch_changes(
    kind: str,
) -> None:
    bench = bench_of(KINDS[kind](), pairs(n=2))
    chunk = chunk_of(bench)
    change, judged = changes(chunk), chunk.judged
    errors: dict[int, list[float]] = {}
    for steps in (8, 32):
        scoring = scoring_of(bench, "node", ig_steps=steps)
        found = METHODS["eap-ig-activations"].score(scoring).tolist()
        scores = dict(zip(scoring.units.names, found, strict=True))
        for group in layers_of(list(change)):
            point = {name: change[name] for name in group}
            twin = Twin(chunk.decoder, chunk.base, chunk.source, chunk.positions, point)
            patched = judged.metric(twin.logits()[None], judged.pairs, judged.clean)[0]
            lost = (chunk.unpatched - patched).mean()
            error = abs(sum(scores[name] for name in group) - lost.item())
            errors.setdefault(steps, []).append(error)
    assert max(errors[32]) < 0.4 * max(errors[8])
    assert max(errors[32]) < 0.02


def test_no_gradient_stays_behind_on_weights() -> None:
    model = toy().requires_grad_(True)
    scoring = scoring_of(bench_of(model, pairs(n=2)), threshold=0.1)
    for method in METHODS.values():
        assert not method.score(scoring).requires_grad
    chunk = chunk_of(scoring.bench)
    assert not gradients_at(chunk, chunk.base.read.resid_pre).requires_grad
    assert not chunk.edge_runs.differences.requires_grad
    weights = list(model.parameters())
    assert weights
    assert all(weight.grad is None and weight.requires_grad for weight in weights)
