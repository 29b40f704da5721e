"""Experiments: the models that they train, what they claim, and what they refuse."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.analysis.superposition import (
    EXPERIMENTS,
    SuperpositionResult,
    claim_names,
    restudy,
    superpose,
)
from mitool.analysis.superposition.study import warnings_of
from mitool.core.device import resolve
from mitool.core.errors import InputError, RunError, UsageError
from mitool.settings import SuperpositionSettings
from mitool.storage import atomic, layout
from mitool.training.superposition import SuperpositionConfig
from tests.analysis.superposition import handset

QUICK: dict[str, Any] = {"steps": 3, "batch_size": 8, "n_instances": 2, "sparsity": "0,0.9"}
COMMON = {"sparsity", "loss", "features_represented", "mean_interference", "dimensions_per_feature"}
OWN = {
    "intro": {"angles.0", "angles.1"},
    "norms": set(),
    "geometry": {"models_near_1", "models_near_half", "features_near_1", "features_near_half"},
    "dimensionality": {"dimensionality_clusters.digon", "polytopes.pentagon", "polytopes.other"},
    "phase": {"phase_agreement", "phase_agreement_inside"},
    "correlated": {"cosine_within_sets", "cosine_between_sets"},
    "basis": {"features_computed", "monosemantic_neurons", "polysemantic_neurons"},
    "train": set(),
}
FAMILIES = {
    "norms": ["20in5", "100in20"],
    "phase": ["2in1", "3in2"],
    "correlated": ["independent", "correlated", "anticorrelated"],
    "basis": ["linear", "relu", "abs"],
}


def study(name: str, folder: Path, seed: int = 0, **settings: Any) -> SuperpositionResult:
    chosen = replace(EXPERIMENTS[name].preset, **settings)
    return superpose(SuperpositionConfig(name, chosen, resolve("cpu", threads=1), seed), folder)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_claims_what_it_says_and_is_redrawn_the_same(
    tmp_path: Path, name: str
) -> None:
    result = study(name, tmp_path / name, **QUICK)
    families = FAMILIES.get(name, [""])
    assert list(result.families) == families
    for family in families:
        prefix = f"{family}." if family else ""
        wanted = OWN[name] | (COMMON if family != "abs" else {"sparsity", "loss"})
        assert {prefix + claim for claim in wanted} <= result.claims.keys()
        n_models = 4 if name == "phase" else 2
        assert len(result.claims[f"{prefix}loss"]) == n_models
        expected = [0, 0, 0.9, 0.9] if name == "phase" else [0, 0.9]
        assert result.claims[f"{prefix}sparsity"] == pytest.approx(expected)
    chosen = replace(EXPERIMENTS[name].preset, **QUICK)
    config = SuperpositionConfig(name, chosen, resolve("cpu", threads=1))
    assert claim_names(config) == list(result.claims)
    again = restudy(tmp_path / name, name)
    assert again.claims == {**result.claims, "run_ended": True}
    assert again.history == result.history
    assert len(again.history) == 2
    assert again.arrays().keys() == result.arrays().keys()


def test_shares_of_no_features_are_undefined_and_said_to_be() -> None:
    """A model that represents nothing is near no plateau, nor far from one."""
    nothing = handset.studied(torch.cat([torch.eye(2)[None], torch.full((1, 2, 2), 1e-3)]))
    claims = dict(EXPERIMENTS["geometry"].claims({"": nothing}))
    assert claims["features_near_1"] == [1.0, None]
    assert claims["share_near_1"] == 1.0
    alone = dict(EXPERIMENTS["geometry"].claims({"": handset.studied(nothing.models.W[1:])}))
    assert alone["share_near_half"] is None
    assert warnings_of(claims) == (
        "undefined where a model represents no feature, or too few to compare: features_near_1, "
        "features_near_half",
    )
    assert warnings_of({"loss": [0.1, 0.2]}) == ()


def test_an_intro_with_its_defaults_goes_from_a_pair_to_a_pentagon(tmp_path: Path) -> None:
    """The published figure: at the densest the two most important features are orthogonal and
    alone, at the sparsest all five are vertices of a pentagon.
    """
    result = study("intro", tmp_path)
    densest, sparsest = result.families[""].models.W[0], result.families[""].models.W[-1]
    assert (densest.norm(dim=0) > 0.5).tolist() == [True, True, False, False, False]
    assert result.claims["angles.0"] == pytest.approx([90, 90], abs=5)
    assert (sparsest.norm(dim=0) > 0.5).all()
    assert result.claims["angles.9"] == pytest.approx([72] * 5, abs=5)
    losses = [evaluation.losses[""] for evaluation in result.history]
    assert all(last < first for first, last in zip(losses[0], losses[-1], strict=True))


def test_linear_models_superpose_nothing_at_any_sparsity(tmp_path: Path) -> None:
    result = study("intro", tmp_path, activation="linear", sparsity="0..0.95")
    assert result.claims["features_represented"] == [2] * 10
    interference: Any = result.claims["mean_interference"]
    assert max(interference) < 0.01
    W = result.families[""].models.W
    assert (W.norm(dim=1)[:, :2] > 0.5).all()
    # of W^T W the best that there is: the features of most importance, and no other
    assert ((W.mT @ W)[:, 2:, 2:].abs() < 0.01).all()


def test_the_sizes_of_the_settings_take_the_place_of_the_published_ones(tmp_path: Path) -> None:
    result = study("norms", tmp_path, n_features=7, n_hidden=3, importance="2..1", **QUICK)
    assert list(result.families) == ["7in3"]
    models = result.families["7in3"].models
    assert models.importance[0].tolist() == pytest.approx([2 ** (1 - i / 6) for i in range(7)])
    assert models.density.tolist() == pytest.approx([1, 0.1])


def test_phases_are_a_grid_of_sparsities_by_importances(tmp_path: Path) -> None:
    result = study(
        "phase", tmp_path, restarts=2, **QUICK | {"n_instances": 3, "sparsity": "0..0.99"}
    )
    models = result.families["3in2"].models
    assert models.density.reshape(3, 3)[:, 0].tolist() == pytest.approx([1, 0.1, 0.01])
    assert models.importance[:3, -1].tolist() == pytest.approx([0.1, 1, 10])
    assert (models.importance[:, :2] == 1).all()


def test_the_sides_of_a_diagram_are_as_long_as_their_lists(tmp_path: Path) -> None:
    sides = {"sparsity": "0,0.5,0.9", "importance": "0.1,2", "n_instances": 3}
    result = study("phase", tmp_path, **QUICK | sides, restarts=1)
    models = result.families["2in1"].models
    assert models.density.reshape(3, 2)[:, 0].tolist() == pytest.approx([1, 0.5, 0.1])
    assert models.importance[:2, -1].tolist() == pytest.approx([0.1, 2])


REFUSED = [
    ("norms", "intro", "expected 2 hidden dimensions"),
    ("basis", "norms", "weights of their own out of the hidden layer"),
    ("intro", "phase", "expected a grid of sparsities"),
    ("intro", "correlated", "expected models of sets of features"),
    ("intro", "basis", "expected models with a ReLU in the hidden layer"),
]


@pytest.mark.parametrize(("trained", "drawn", "reason"), REFUSED)
def test_models_that_an_experiment_is_not_about_are_refused(
    tmp_path: Path, trained: str, drawn: str, reason: str
) -> None:
    study(trained, tmp_path, **QUICK)
    with pytest.raises(InputError, match=reason):
        restudy(tmp_path, drawn)


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("phase", {"n_features": 5, "n_hidden": 2}, "expected 2 in 1 or 3 in 2"),
        ("phase", {"sparsity": "0.9"}, "sparsity: expected one value after the other to rise"),
        ("phase", {"importance": "1"}, "importance: expected one value after the other to rise"),
        ("correlated", {"n_features": 5, "n_hidden": 2}, "expected a multiple of 2"),
        ("correlated", {"n_features": 4, "n_hidden": 3}, "expected 2 hidden dimensions"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, name: str, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        study(name, tmp_path / "run", **QUICK | settings)
    assert not (tmp_path / "run").exists()


def test_models_that_cannot_fit_into_memory_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"training needs about [\d.]+ GiB .*fewer or smaller models"
    ):
        study("intro", tmp_path / "run", n_features=65_536, n_hidden=65_536)
    assert not (tmp_path / "run").exists()


def test_an_unknown_experiment_names_the_nearest(tmp_path: Path) -> None:
    study("intro", tmp_path, **QUICK)
    with pytest.raises(UsageError, match="did you mean 'norms'"):
        restudy(tmp_path, "norm")


def test_arrays_hold_the_weights_and_the_measures_of_every_feature(tmp_path: Path) -> None:
    result = study("intro", tmp_path, **QUICK)
    arrays = result.arrays()
    assert torch.equal(arrays["W"].norm(dim=1), arrays["norms"])
    assert {"b", "density", "importance", "interference", "dimensionality"} <= arrays.keys()


def test_only_the_best_restart_is_studied(tmp_path: Path) -> None:
    result = study("train", tmp_path, restarts=3, **QUICK)
    assert len(result.families[""].models) == 2
    stored = atomic.read_lines(tmp_path / layout.METRICS)[-1]["losses"][""]
    assert len(stored) == 2


def test_a_checkpoint_whose_tensors_do_not_fit_its_shapes_is_refused(tmp_path: Path) -> None:
    from mitool.storage import checkpoint

    study("intro", tmp_path, **QUICK)
    tensors, metadata = checkpoint.load(tmp_path)
    broken = tmp_path / "broken.safetensors"
    checkpoint.save(broken, tensors | {"W": tensors["W"][:, :1].clone()}, metadata)
    with pytest.raises(InputError, match="expected weights of shapes"):
        restudy(broken, "intro")
    for families in (3, {}, {"": 3}):
        checkpoint.save(broken, tensors, replace(metadata, model={"families": families}))
        with pytest.raises(InputError, match="says nothing of its models' shapes"):
            restudy(broken, "intro")


def test_settings_say_what_is_wrong_with_them() -> None:
    from mitool.core.config import build

    for values, reason in (
        ({"n_features": 3}, "expected both or neither"),
        (
            {"importance": "fast"},
            "expected 0.9\\^i, 1..0.01, a list such as",
        ),
        ({"importance": "0"}, "not all of them 0, found '0'"),
        ({"importance": "9^i", "n_features": 999, "n_hidden": 2}, "importances up to 1e"),
        ({"importance": "1e100", "n_features": 3, "n_hidden": 1}, "importances up to 1e"),
        ({"sparsity": "0..1"}, "0 <= S < 1"),
        ({"sparsity": "0,0.5", "n_instances": 3}, "expected 3 sparsities"),
        ({"sparsity": "1e999"}, "0 <= S < 1"),
    ):
        with pytest.raises(UsageError, match=reason):
            build(SuperpositionSettings, values)
