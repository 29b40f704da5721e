"""The search as a whole: from pairs and settings to claims."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from mitool import planted
from mitool.analysis.circuits import CircuitFiles, CircuitResult, analyze_circuit, prepare_circuit
from mitool.analysis.circuits.evaluation import random_choices
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.outcomes import all_and_none, outcomes
from mitool.analysis.circuits.select import first, ranked
from mitool.core.device import exact
from mitool.core.errors import InputError, UsageError
from mitool.models.pretrained import load_pretrained
from mitool.models.subject import Subject, load
from mitool.settings import CircuitSettings
from mitool.storage import layout

SHARED = Path(__file__).parents[4] / "shared"
QUICK = {"resamples": 100, "random_circuits": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("xor")
    planted.plant("xor").save(folder)
    return folder


@pytest.fixture(scope="module")
def xor(folder: Path) -> Subject:
    return load(folder)


def searched(folder: Path, files: CircuitFiles | None = None, **settings: object) -> CircuitResult:
    chosen = CircuitSettings(**{**QUICK, **settings})
    return analyze_circuit(
        load(folder), chosen, pairs=folder / planted.base.PAIRS, files=files, device=exact()
    )


def claims(result: CircuitResult) -> dict[str, float]:
    """Those that are numbers."""
    return {k: v for k, v in result.claims.items() if isinstance(v, float | int)}


def test_the_planted_circuit_is_found_and_everything_agrees(folder: Path) -> None:
    files = CircuitFiles(truth=folder / planted.base.TRUTH)
    found = claims(searched(folder, files, audit=1000))
    assert (found["n_edges"], found["n_edges_total"]) == (5, 110)
    assert found["n_nodes"] == 5  # the input, two heads, an MLP and the logits
    assert (found["precision"], found["recall"], found["auroc"]) == (1, 1, 1)
    assert found["faithfulness"] == pytest.approx(1, abs=1e-4)
    assert found["completeness"] == pytest.approx(1, abs=1e-4)
    assert found["random_faithfulness"] < 0.3
    assert found["audit_pearson"] > 0.98
    assert found["kl"] < 1e-4
    assert found["top1_agreement"] == 1
    assert found["n_idle"] == 0
    assert found["n_tested"] == 5


def test_all_is_exactly_1_and_nothing_exactly_0(folder: Path) -> None:
    whole = claims(searched(folder, fraction=1.0))
    assert whole["faithfulness"] == 1
    assert whole["metric_circuit"] == whole["metric_full"]
    assert whole["n_edges"] == 110
    assert whole["completeness"] == 1
    nothing = searched(folder, threshold=1e6)
    assert nothing.claims["faithfulness"] == 0
    assert nothing.claims["metric_circuit"] == nothing.claims["metric_empty"]
    assert (nothing.claims["n_edges"], nothing.claims["n_nodes"]) == (0, 1)


@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_sizes_are_those_that_are_asked_for(folder: Path, level: str) -> None:
    for size in (1, 3, 7):
        found = searched(folder, level=level, edges=size).found
        assert int(found.chosen.sum()) <= size  # dead ones are pruned
    whole = searched(folder, level=level, fraction=1.0).found
    assert int(whole.chosen.sum()) == len(whole.units)


def test_without_a_size_the_fewest_that_reach_it_are_taken(folder: Path) -> None:
    found = searched(folder, reach=0.9)
    assert found.origin.reached is not None
    assert found.origin.reached >= 0.9
    assert found.found.circuit.n_edges <= 6  # of 1, 2, 3, 4, 6 the first that holds all five
    # the scores of chance reach it with nearly everything only
    assert searched(folder, method="random").found.circuit.n_edges > 50


def test_pairs_that_are_held_out_are_tested_and_no_others(folder: Path) -> None:
    result = searched(folder, holdout=0.25)
    found_on, tested_on = result.origin.found_on.chosen, result.origin.tested_on.chosen
    assert len(tested_on) == 8
    assert sorted([*found_on.tolist(), *tested_on.tolist()]) == list(range(32))
    numbers = ("n_pairs", "n_distinct", "n_groups", "n_groups_total")
    assert [result.claims[name] for name in numbers] == [8, 8, 8, 32]
    assert result.arrays()["metric.full"].shape == (8,)
    assert str(result.conclusion).endswith("on pairs that were held out (8 of 32 groups)")
    same = searched(folder)
    assert torch.equal(same.origin.found_on.chosen, same.origin.tested_on.chosen)


def test_means_are_of_pairs_that_are_not_held_out(folder: Path) -> None:
    """What is held out has no part in finding, nor in what is put in: other pairs there change
    neither scores nor means.
    """
    result = searched(folder, holdout=0.25, ablation="mean", method="eap")
    found_on, tested_on = result.origin.found_on, result.origin.tested_on
    material = found_on.material
    (pairs,) = material.groups
    others = pairs.clean.clone()
    others[tested_on.chosen] = others[tested_on.chosen[0]].clone()
    changed = dataclasses.replace(pairs, clean=others)
    alike = dataclasses.replace(found_on, material=dataclasses.replace(material, groups=[changed]))
    (was,), (now,) = found_on.chunks(), alike.chunks()
    for layer, other in zip(was.source.layers, now.source.layers, strict=True):
        assert torch.equal(layer.z, other.z)
    everything = dataclasses.replace(alike, averaged=None)
    (moved,) = everything.chunks()
    assert not torch.allclose(moved.source.layers[0].z, was.source.layers[0].z)


def test_no_random_circuit_is_drawn_twice(folder: Path) -> None:
    result = searched(folder, random_circuits=1000, level="node", minimality=0)
    n_nodes, n_chosen = len(result.found.units), int(result.found.chosen.sum())
    there_are = math.comb(n_nodes, n_chosen)
    assert result.evaluation.random.shape == (min(there_are, 1000), 32)
    for n_units, n, asked_for, there_are in (
        (6, 2, 10, 10),
        (6, 2, 15, 15),
        (6, 4, 1000, 15),
        (6, 6, 10, 1),
        (6, 0, 10, 1),
        (6, 3, 0, 0),
        (10_000, 5_000, 20, 20),
    ):
        drawn = random_choices(n_units, n, asked_for, seed=0)
        assert drawn.shape == (there_are, n_units)
        assert len(set(map(tuple, drawn.tolist()))) == there_are
        assert drawn.sum(dim=1).tolist() == [n] * there_are


def test_a_circuit_of_a_file_is_tested_as_if_it_had_been_found(
    folder: Path, tmp_path: Path
) -> None:
    found = searched(folder, edges=4)
    path = tmp_path / layout.CIRCUIT
    path.write_text(json.dumps(found.documents()[layout.CIRCUIT]))
    again = searched(folder, CircuitFiles(circuit=path))
    same = ("n_edges", "metric_circuit", "faithfulness", "kl", "completeness", "n_idle")
    assert {k: again.claims[k] for k in same} == {k: found.claims[k] for k in same}
    assert "cpr" not in again.claims
    scored = searched(folder, CircuitFiles(circuit=path), method="eap-ig", audit=5)
    assert {k: scored.claims[k] for k in same} == {k: found.claims[k] for k in same}
    assert scored.claims["cpr"] == found.claims["cpr"]


@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_scores_of_a_file_are_chosen_from_without_scoring_again(
    folder: Path, tmp_path: Path, level: str
) -> None:
    first = searched(folder, level=level, edges=2)
    path = tmp_path / layout.CIRCUIT
    path.write_text(json.dumps(first.documents()[layout.CIRCUIT]))
    again = searched(folder, CircuitFiles(scores=path), level=level, edges=9)
    direct = searched(folder, level=level, edges=9)
    assert again.claims == direct.claims
    assert again.origin.method is None


def test_scores_of_another_level_or_of_positions_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / layout.CIRCUIT
    path.write_text(json.dumps(searched(folder, level="node").documents()[layout.CIRCUIT]))
    with pytest.raises(UsageError, match="scores at level edge, found node"):
        searched(folder, CircuitFiles(scores=path))
    path.write_text(json.dumps(searched(folder).documents()[layout.CIRCUIT]))
    with pytest.raises(UsageError, match="for each position"):
        searched(folder, CircuitFiles(scores=path), by_position=True)


def test_each_ablation_beside_is_what_it_is_alone(folder: Path, tmp_path: Path) -> None:
    found = searched(folder, edges=3)
    path = tmp_path / layout.CIRCUIT
    path.write_text(json.dumps(found.documents()[layout.CIRCUIT]))
    seen = set()
    for ablation in ("patch", "zero", "mean", "mean-positional"):
        alone = searched(folder, CircuitFiles(circuit=path), ablation=ablation)
        name = f"faithfulness_{ablation.replace('-', '_')}"
        value = alone.claims["faithfulness"]
        assert found.claims[name] == pytest.approx(value, abs=1e-9)
        seen.add(round(float(str(value)), 6))
    assert len(seen) > 1


def test_a_unit_that_does_nothing_is_idle(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "circuit.txt"
    truth = (folder / planted.base.TRUTH).read_text()
    path.write_text(f"{truth}\ninput->L0H0<k>\n")  # dead in the circuit
    result = searched(folder, CircuitFiles(circuit=path))
    assert (result.claims["n_tested"], result.claims["n_idle"]) == (6, 1)
    idle = result.evaluation.losses.abs() < 0.005
    units = result.evaluation.tested[idle]
    assert [result.found.units.names[unit] for unit in units] == ["input->L0H0<k>"]


def test_the_claims_are_those_that_were_announced(folder: Path) -> None:
    files = CircuitFiles(truth=folder / planted.base.TRUTH)
    for settings in ({}, {"audit": 5}, {"random_circuits": 0}, {"level": "neuron"}):
        for given in (None, files, CircuitFiles(circuit=files.truth, truth=files.truth)):
            if given is not None and given.circuit is not None and "audit" in settings:
                continue
            chosen = CircuitSettings(**{**QUICK, **settings})
            prepared = prepare_circuit(
                load(folder), chosen, pairs=folder / planted.base.PAIRS, files=given
            )
            assert prepared.claim_names == list(prepared.run().checkable)


def test_less_memory_and_another_order_of_batches_change_nothing(folder: Path) -> None:
    chosen = CircuitSettings(**QUICK, edges=6)
    prepared = prepare_circuit(
        load(folder), chosen, pairs=folder / planted.base.PAIRS, device=exact()
    )
    whole = claims(prepared.run())
    assert "32 of 32 pairs at a time" in prepared.plan
    found_on = prepared.found_on
    budget = dataclasses.replace(found_on.budget, size=2**20)
    small = dataclasses.replace(
        prepared,
        found_on=dataclasses.replace(found_on, budget=budget),
        tested_on=dataclasses.replace(prepared.tested_on, budget=budget),
    )
    assert "32 of 32" not in small.plan
    assert claims(small.run()) == pytest.approx(whole, rel=1e-9, abs=1e-9)


def test_pairs_between_which_the_metric_is_the_same_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.csv"  # what one pair gains, the other loses
    path.write_text("clean,corrupted,correct,incorrect\n1 2 =,2 4 =,3,6\n2 4 =,1 2 =,3,6\n")
    with pytest.raises(InputError, match="expected a metric that differs"):
        analyze_circuit(load(folder), CircuitSettings(**QUICK), pairs=path)


def test_what_contradicts_itself_is_refused(folder: Path) -> None:
    truth = CircuitFiles(circuit=folder / planted.base.TRUTH)
    with pytest.raises(UsageError, match="--audit is of scores"):
        searched(folder, truth, audit=5)
    with pytest.raises(UsageError, match="--edges chooses another"):
        searched(folder, truth, edges=5)
    with pytest.raises(UsageError, match="--scores and --method"):
        searched(folder, CircuitFiles(scores=truth.circuit), method="eap")
    with pytest.raises(UsageError, match="no such input"):
        searched(folder, ablation="zero")
    with pytest.raises(UsageError, match="expected --level edge, found node"):
        searched(folder, method="acdc", level="node")
    with pytest.raises(UsageError, match="a metric with a gradient"):
        searched(folder, metric="accuracy")
    with pytest.raises(UsageError, match="--holdout divides the pairs"):
        searched(folder, holdout=0.5, n_pairs=1)


def test_methods_and_ablations_that_need_no_gradient_or_input_go_together(folder: Path) -> None:
    for method in ("eap", "eap-ig-activations", "exact", "acdc"):
        for ablation in ("zero", "mean-positional"):
            result = searched(folder, method=method, ablation=ablation, edges=20, n_pairs=8)
            assert (
                result.claims["faithfulness"]
                == result.claims[f"faithfulness_{ablation.replace('-', '_')}"]
            )
            assert claims(result)["cpr"] > 0.2


@pytest.mark.skipif(not SHARED.exists(), reason="the real models are not here")
@pytest.mark.parametrize(("method", "name"), [("eap", "EAP"), ("eap-ig", "EAP-IG-inputs")])
def test_circuits_of_a_pretrained_model_keep_the_published_metric(method: str, name: str) -> None:
    model, pairs = load_pretrained(SHARED / "data/stories260k"), SHARED / "data/pronoun_pairs.csv"
    published = json.loads((SHARED / "reference/edge_scores_stories260k.json").read_text())
    prepared = prepare_circuit(model, CircuitSettings(method=method), pairs=pairs)
    units, bench = prepared.units, prepared.found_on
    assert prepared.method is not None
    scores = prepared.method.score(Scoring(bench, units))
    assert len(units) == 2461
    sizes = {int(size): metric for size, metric in published[name]["topn_metric"].items()}
    circuits = first(units, ranked(units, scores, "absolute"), list(sizes))
    kept = units.kept(torch.cat([circuits, all_and_none(len(units))]))
    found = outcomes(bench, kept).metric.mean(dim=1).tolist()
    assert found[-2:] == pytest.approx([5.6607, -5.6607], abs=1e-4)
    assert found[:-2] == pytest.approx(list(sizes.values()), rel=1e-2)
