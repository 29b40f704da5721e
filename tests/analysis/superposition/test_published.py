"""The published figures of toy models of superposition, at the commands' defaults."""

from pathlib import Path
from typing import Any

import pytest

from mitool.analysis.superposition import EXPERIMENTS, superpose
from mitool.core.device import resolve
from mitool.training.superposition import SuperpositionConfig
from tests.analysis.superposition.test_experiments import study


def claims_at_defaults(name: str, folder: Path) -> dict[str, Any]:
    config = SuperpositionConfig(name, EXPERIMENTS[name].preset, resolve("cpu"))
    return dict(superpose(config, folder).claims)


def test_phases_of_a_small_diagram_are_those_of_the_closed_form(tmp_path: Path) -> None:
    grid: dict[str, Any] = {"n_instances": 8, "restarts": 6, "steps": 1500, "eval_every": 1500}
    claims: dict[str, Any] = dict(study("phase", tmp_path, **grid).claims)
    for family in ("2in1", "3in2"):
        assert claims[f"{family}.phase_agreement_inside"] >= 0.9
        assert claims[f"{family}.phase_agreement"] >= 0.8


@pytest.mark.slow
def test_phases_are_those_of_the_closed_form(tmp_path: Path) -> None:
    claims = claims_at_defaults("phase", tmp_path)
    for family in ("2in1", "3in2"):
        assert claims[f"{family}.phase_agreement_inside"] >= 0.9


@pytest.mark.slow
def test_dimensions_per_feature_stick_at_1_and_at_a_half(tmp_path: Path) -> None:
    claims = claims_at_defaults("geometry", tmp_path)
    stars = claims["dimensions_per_feature"]
    assert claims["models_near_1"] >= 2
    assert claims["models_near_half"] >= 3
    assert stars == sorted(stars, reverse=True)


@pytest.mark.slow
def test_correlated_features_are_apart_and_anticorrelated_ones_opposite(tmp_path: Path) -> None:
    claims = claims_at_defaults("correlated", tmp_path)
    # the densest correlated ones collapse into what they have in common
    assert claims["correlated.cosine_within_sets"][0] > 0.95
    assert max(map(abs, claims["correlated.cosine_within_sets"][1:])) < 0.1
    assert max(claims["correlated.cosine_between_sets"][1:]) < -0.4
    assert max(claims["anticorrelated.cosine_within_sets"]) < -0.95


@pytest.mark.slow
def test_neurons_are_of_one_feature_where_features_are_dense(tmp_path: Path) -> None:
    claims = claims_at_defaults("basis", tmp_path)
    assert claims["linear.monosemantic_neurons"] == [0] * 5
    mono, poly = (claims[f"abs.{kind}semantic_neurons"] for kind in ("mono", "poly"))
    assert mono[0] > poly[0]
    assert mono[-1] == 0
    assert poly[-1] > 30
    computed = claims["abs.features_computed"]
    assert computed[-1] > 20  # each takes two neurons where it shares none
