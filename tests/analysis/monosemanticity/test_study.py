"""What is claimed of the models of a sweep, beside loops that follow the definitions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.analysis.monosemanticity import (
    StudiedModel,
    claim_names,
    engineer_monosemanticity,
    restudy_monosemanticity,
)
from mitool.core.errors import InputError
from mitool.models.monosemanticity import FeatureMLP, FeatureMLPConfig
from mitool.settings.monosemanticity import MonosemanticitySettings
from mitool.storage.checkpoint import load, save, write_tensors
from tests.training.monosemanticity.sweeps import config
from tests.training.superposition import families


def studied(activations: list[list[float]]) -> StudiedModel:
    """A model whose neurons have these activations [feature, neuron] on single features."""
    values = torch.tensor(activations)
    N, k = values.shape
    model = FeatureMLP(FeatureMLPConfig(N=N, m=N, k=k))
    with torch.no_grad():
        model.W_E.copy_(torch.eye(N))
        model.W_in.copy_(values)
    return StudiedModel({}, MonosemanticitySettings(N=N, m=N, k=k), model, 0.0)


def test_neurons_and_features_are_counted() -> None:
    model = studied(
        [
            [0.0, 1.0, 0.0, 0.5, 0.0],
            [2.0, 0.0, 0.0, 0.5, 0.0],
            [0.0, 0.0, 3.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.4, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    assert model.is_monosemantic.tolist() == [True, True, True, False, False]
    assert (model.monosemantic_neurons, model.features_with_own_neuron) == (3, 3)
    twice = studied([[1.0, 2.0], [0.0, 0.0]])
    assert (twice.monosemantic_neurons, twice.features_with_own_neuron) == (2, 1)


def test_sorted_monosemantic_neurons_are_on_a_diagonal() -> None:
    weights = torch.zeros(6, 8)
    neurons = [5, 0, 3, 7]
    for feature, neuron in enumerate(neurons):
        weights[feature, neuron] = 1.0 + feature
    weights[4, [1, 2]] = 0.5
    weights[5, [1, 2]] = 0.6
    model = studied(weights.tolist())
    rows, columns = model.order
    ordered = model.activations.T[rows][:, columns]
    assert set(rows[:4].tolist()) == set(neurons)
    assert (ordered[:4, :4].diagonal() > 0).all()
    assert int((ordered[:4] > 0).sum()) == 4
    assert sorted(columns.tolist()) == list(range(6))


def test_features_that_activate_nothing_come_last() -> None:
    model = studied([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    assert model.order[1].tolist() == [3, 1, 0, 2]


def test_a_measure_that_activations_below_0_upset_has_a_warning(tmp_path: Path) -> None:
    result = engineer_monosemanticity(
        config({"activation": ("relu", "gelu")}, log2_training_steps=2), tmp_path
    )
    (warning,) = result.warnings
    assert "activations of gelu can be negative" in warning


def test_claims_are_one_for_each_model_and_follow_the_definitions(tmp_path: Path) -> None:
    of = config({"learning_rate": (0.003, 0.03), "k": (10, 24)}, mono_threshold=0.5)
    result = engineer_monosemanticity(of, tmp_path)
    claims: dict[str, Any] = dict(result.claims)
    assert list(claims) == claim_names(of)
    assert claims["learning_rate"] == [0.003, 0.003, 0.03, 0.03]
    assert claims["k"] == [10, 24, 10, 24]
    for index, (name, model) in enumerate(result.models.items()):
        weights = {
            key.rpartition(".")[2]: value
            for key, value in load(tmp_path)[0].items()
            if key.startswith(f"{name}.")
        }
        mono, owners = 0, set()
        for neuron in range(model.settings.k):
            column = torch.relu(
                weights["W_E"] @ weights["W_in"][:, neuron] + weights["b_in"][neuron]
            )
            if column.max() / (1e-10 + column.sum()) > 0.5:
                mono += 1
                owners.add(int(column.argmax()))
        assert claims["monosemantic_neurons"][index] == mono
        assert claims["features_with_own_neuron"][index] == len(owners)
        assert claims["monosemantic_per_feature"][index] == mono / 16
        assert claims["monosemantic_per_neuron"][index] == mono / model.settings.k
        assert claims["mean_bias"][index] == pytest.approx(weights["b_in"].mean().item())
        assert claims["loss"][index] == pytest.approx(result.history[-1].loss[index], rel=0.1)
    assert sum(claims["monosemantic_neurons"]) > 0


def test_a_checkpoint_is_studied_again_alone_or_of_the_trajectory(tmp_path: Path) -> None:
    first = engineer_monosemanticity(config(), tmp_path)
    again = restudy_monosemanticity(tmp_path)
    assert again.claims == {**first.claims, "run_ended": True}
    assert again.history == first.history
    assert again.swept == ["learning_rate"]
    early = restudy_monosemanticity(tmp_path / "checkpoints" / "00000016.safetensors")
    assert [e.step for e in early.history][-1] == 16
    assert early.claims["loss"] != first.claims["loss"]
    assert set(first.arrays()) == {
        f"learning_rate={rate}.{name}"
        for rate in (0.001, 0.003, 0.01)
        for name in ("activations", "monosemanticity")
    }


def test_what_a_diverged_model_would_have_is_undefined(tmp_path: Path) -> None:
    result = engineer_monosemanticity(config({"decay": (0.0, 1000.0)}, learning_rate=0.1), tmp_path)
    claims: dict[str, Any] = dict(result.claims)
    for name in ("loss", "monosemantic_neurons", "mean_bias", "features_with_own_neuron"):
        first, second = claims[name]
        assert first is not None
        assert second is None
    assert result.warnings == (
        "decay=1000.0 has diverged: it has no loss, and its neurons mean nothing",
    )


def test_models_of_another_kind_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    families.run(families.config(), tmp_path / "other")
    with pytest.raises(InputError, match="expected models that mitool superpose mono trains"):
        restudy_monosemanticity(tmp_path / "other")
    engineer_monosemanticity(config(), tmp_path / "run")
    tensors, metadata = load(tmp_path / "run")
    name = "learning_rate=0.001"
    for models in (
        None,
        3,
        {},
        {name: 3},
        {name: {"N": 0}},
        {name: {"N": 4}},
        {"a": {}, "b": {"k": 3}},
    ):
        model = metadata.model | {"models": models}
        save(tmp_path / "bad.safetensors", tensors, replace(metadata, model=model))
        with pytest.raises(InputError, match=r"bad\.safetensors"):
            restudy_monosemanticity(tmp_path / "bad.safetensors")
    training = {k: v for k, v in metadata.training.items() if k != "decay"}
    save(tmp_path / "bad.safetensors", tensors, replace(metadata, training=training))
    with pytest.raises(InputError, match="does not say all of its models' settings"):
        restudy_monosemanticity(tmp_path / "bad.safetensors")
    write_tensors(tmp_path / "bad.safetensors", tensors, {"kind": "arrays"})
    with pytest.raises(InputError):
        restudy_monosemanticity(tmp_path / "bad.safetensors")
