"""Edge attribution against exact patching, its own sums, and published scores."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mitool.analysis.circuits.methods.eap import eap
from mitool.analysis.circuits.methods.eap_ig import eap_ig
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.edges import EdgeRuns
from mitool.analysis.interventions.table import EdgeTable
from mitool.analysis.metrics import METRICS
from mitool.core.device import Device
from mitool.core.node_names import published
from mitool.models.decoder import Decoder
from mitool.models.pretrained import load_pretrained
from mitool.pairs.files import read_pairs
from mitool.pairs.prompt_pairs import PromptPairs, encode_pairs
from tests.analysis.circuits.benches import bench_of
from tests.analysis.interventions.models import GROUPED, Model, both, linear, pairs, pretrained, toy
from tests.huggingface.random_models import random_model

KINDS: dict[str, Callable[[], Model]] = {
    "toy": toy,
    "GPTNeoX": lambda: pretrained("GPTNeoX"),
    "Llama": lambda: pretrained("Llama", **GROUPED),
    **{kind: partial(random_model, kind, 0) for kind in ("gemma2", "olmo2", "granite", "cohere")},
}

SHARED = Path(__file__).parents[4] / "shared"


def logit_difference(logits: Tensor, given: PromptPairs) -> Tensor:
    return METRICS["logit-diff"](logits[None], given, logits)[0]


def scores(
    model: Model | Decoder, given: PromptPairs, steps: int | None = None
) -> tuple[EdgeTable, Tensor]:
    """Sums over pairs, by the gradient at the clean input, or at so many on the way to it."""
    bench = bench_of(model, given)
    units = Units(bench.table, "edge", bench.material.decoder.d_model)
    method = eap if steps is None else eap_ig
    found = method(Scoring(bench, units, ig_steps=steps or 1))
    return bench.table, units.placed(found)[..., 0] * len(given)


def test_on_a_linear_model_it_is_exact_patching() -> None:
    model, given = linear(), pairs()
    table, found = scores(model, given)
    decoder, clean, corrupted = both(model, given)
    full = logit_difference(clean.logits, given)
    runs = EdgeRuns(decoder, clean, corrupted, given.answer_positions)
    for edge, score in zip(table.edges, table.listed(found), strict=True):
        (logits,) = runs.patched([edge])
        exact = (full - logit_difference(logits, given)).sum()
        torch.testing.assert_close(score, exact, rtol=0, atol=1e-11, msg=str(edge))
    assert table.listed(found).abs().max() > 0.1


@pytest.mark.usefixtures("exact_norms")
@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_derivative_of_patching_a_little(kind: str) -> None:
    """Along each edge a small step from the clean writer towards the corrupted one."""
    model, given = KINDS[kind](), pairs(n=2)
    table, found = scores(model, given)
    decoder, clean, corrupted = both(model, given)
    difference = -EdgeRuns(decoder, clean, corrupted, given.answer_positions).differences
    assert difference.shape == (len(table.writers), 2, 6, decoder.d_model)
    # all edges into the logits: there the metric is a function of the last stream alone
    step, last = 1e-5, clean.resid_pre(decoder.n_layers)
    for column in range(len(table.writers)):
        ends = [
            logit_difference(
                decoder.unembed((last + sign * step * difference[column])[:, [5]]), given
            )
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]).sum() / (2 * step)
        torch.testing.assert_close(found[-1, column], slope, rtol=1e-6, atol=1e-8)


def test_gradients_of_the_input_edges_sum_to_the_change_of_the_metric() -> None:
    """Integrated gradients are complete: all edges out of the input carry all of the change."""
    model, given = toy(n_layers=1, attn_only=True), pairs()
    _, clean, corrupted = both(model, given)
    change = (
        logit_difference(clean.logits, given) - logit_difference(corrupted.logits, given)
    ).sum()
    errors = []
    for steps in (10, 40, 160):
        table, found = scores(model, given, steps)
        errors.append(abs((found[:, 0].sum() - change).item()))
    assert table.writers[0].kind == "input"
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.02 * abs(change.item())


def test_where_there_is_no_edge_the_score_is_0() -> None:
    table, found = scores(toy(), pairs())
    assert (found[~table.exists] == 0).all()
    assert len(table.edges) == int(table.exists.sum())
    assert set(table.edges) == set(table.graph.edges())


@pytest.mark.skipif(not SHARED.exists(), reason="the real models are not here")
@pytest.mark.parametrize(("method", "steps"), [("EAP", None), ("EAP-IG-inputs", 5)])
def test_scores_of_an_independent_implementation(method: str, steps: int | None) -> None:
    model = load_pretrained(SHARED / "data/stories260k")
    groups = encode_pairs(read_pairs(SHARED / "data/pronoun_pairs.csv"), model)
    decoder = model.decoder(Device("cpu"))
    found = [scores(decoder, group, steps) for group in groups]
    table = found[0][0]
    ours = table.listed(torch.stack([values for _, values in found]).sum(dim=0)) / 160
    reference = json.loads((SHARED / "reference/edge_scores_stories260k.json").read_text())
    each = reference[method]["scores"]
    theirs = torch.tensor([each[published(str(edge))] for edge in table.edges], dtype=torch.float64)
    assert len(table.edges) == 2461
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
