"""Neurons of models whose weights are set by hand."""

import torch

from mitool.analysis.superposition.neurons import (
    active_neurons,
    features_computed,
    monosemantic,
    scaled,
)
from mitool.models.superposition import Autoencoders
from tests.analysis.superposition.handset import studied

ABSOLUTE = torch.tensor(
    [[[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 1e-6]]]
)  # ReLU(2 x_0), ReLU(-2 x_0), ReLU(x_1), and one that mixes both


def absolute_values() -> Autoencoders:
    """|x_0| is computed; of |x_1| the positive side alone."""
    models = studied(ABSOLUTE, target="abs", hidden_activation="relu").models
    assert models.W_out is not None
    models.W_out.copy_(torch.tensor([[[0.5, 0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.1, 1e-6]]]))
    return models


def test_neurons_of_one_feature_of_several_and_idle_ones() -> None:
    models = absolute_values()
    assert active_neurons(models)[0].tolist() == [True, True, True, True, False]
    assert monosemantic(models)[0].tolist() == [True, True, True, False, False]


def test_a_feature_is_computed_if_both_its_signs_come_out() -> None:
    assert features_computed(absolute_values()).tolist() == [1]
    stored = studied(torch.eye(3)[None, :2], hidden_activation="relu").models
    assert features_computed(stored).tolist() == [2]


def test_where_a_neurons_scale_means_nothing_its_largest_weight_is_1() -> None:
    models = absolute_values()
    assert scaled(models)[0, :2].tolist() == [[1.0, 0.0], [-1.0, 0.0]]
    tied = studied(2 * torch.eye(3)[None], hidden_activation="relu").models
    assert torch.equal(scaled(tied), tied.W)
