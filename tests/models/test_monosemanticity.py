"""MLPs on features: their parts beside torch's, and the measure on weights set by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mitool.core.device import generator
from mitool.core.errors import InputError
from mitool.models.monosemanticity import (
    FeatureMLP,
    FeatureMLPConfig,
    is_monosemantic,
    monosemanticity,
    random_embedding,
)


def by_hand(W_in: list[list[float]], b_in: list[float], activation: str = "relu") -> FeatureMLP:
    """A model whose features are dimensions of their own."""
    N, k = len(W_in), len(b_in)
    model = FeatureMLP(FeatureMLPConfig(N=N, m=N, k=k, activation=activation))
    with torch.no_grad():
        model.W_E.copy_(torch.eye(N))
        model.W_in.copy_(torch.tensor(W_in))
        model.b_in.copy_(torch.tensor(b_in))
    return model


def test_the_measure_is_exact_on_weights_set_by_hand() -> None:
    # neurons: one feature's; two features' alike; none's; one of 999 in 1 000; a little more;
    # one feature's once the bias has taken the others away
    W_in = [
        [2.0, 1.0, -1.0, 0.999, 0.9991, 1.0],
        [0.0, 1.0, -1.0, 0.001, 0.0009, 0.4],
        [-3.0, 0.0, -1.0, 0.0, 0.0, 0.5],
    ]
    model = by_hand(W_in, [0.0, 0.0, 0.0, 0.0, 0.0, -0.5])
    activations = model.feature_activations()
    expected = [
        [2.0, 1.0, 0.0, 0.999, 0.9991, 0.5],
        [0.0, 1.0, 0.0, 0.001, 0.0009, 0.0],
        [0.0] * 6,
    ]
    torch.testing.assert_close(activations, torch.tensor(expected))
    shares = monosemanticity(activations.double())
    assert shares.tolist() == pytest.approx([1, 0.5, 0, 0.999, 0.9991, 1], abs=1e-7)
    assert is_monosemantic(activations, 0.999).tolist() == [True, False, False, False, True, True]
    assert is_monosemantic(activations, 0.4).tolist() == [True, True, False, True, True, True]
    assert is_monosemantic(activations, 0.9995).tolist() == [True, False, False, False, False, True]


def test_other_features_that_are_on_are_on_for_every_feature() -> None:
    model = by_hand([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0, 0.0])
    assert model.feature_activations([2]).tolist() == [[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]]


def test_negative_activations_count_as_the_published_formula_has_them() -> None:
    model = by_hand([[2.0], [-1.0]], [0.0], activation="gelu")
    high, low = nn.functional.gelu(torch.tensor([2.0, -1.0])).tolist()
    assert monosemanticity(model.feature_activations()).item() == pytest.approx(high / (high + low))


@pytest.mark.parametrize("activation", ["relu", "gelu", "solu"])
@pytest.mark.parametrize("task", ["decoder", "abs", "reproject"])
def test_it_computes_what_torchs_own_layers_do(activation: str, task: str) -> None:
    cfg = FeatureMLPConfig(N=7, m=3, k=5, activation=activation, task=task)
    model = FeatureMLP.initialised(cfg, seed=0, initial_bias=-0.1)
    x = torch.randn(11, 7)
    first, last = nn.Linear(3, 5), nn.Linear(5, cfg.d_out, bias=False)
    with torch.no_grad():
        first.weight.copy_(model.W_in.T)
        first.bias.copy_(model.b_in)
        last.weight.copy_(model.W_out.T)
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "relu": nn.ReLU(),
        "gelu": nn.GELU(),
        "solu": lambda z: z * torch.softmax(z, dim=-1),
    }
    expected = last(functions[activation](first(x @ model.W_E)))
    torch.testing.assert_close(model(x), expected)
    targets = {"decoder": x, "abs": x.abs()}
    target = targets[task] if model.W_P is None else x @ model.W_P
    assert (model.W_P is not None) == (task == "reproject")
    squared = (expected - target).square().sum(dim=1)
    torch.testing.assert_close(model.errors(x, model.hidden(x)), squared)


def test_features_are_embedded_by_left_singular_vectors_of_length_1() -> None:
    W_E = random_embedding(20, 6, seed=3, name="W_E")
    matrix = torch.randn(20, 6, generator=generator(3, "features", "W_E"), dtype=torch.float64)
    u = np.linalg.svd(matrix.numpy(), full_matrices=False)[0]
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(W_E.numpy()), np.abs(u), atol=1e-6)
    torch.testing.assert_close(W_E.norm(dim=1), torch.ones(20))
    assert random_embedding(3, 6, seed=0, name="W_E").norm(dim=1).tolist() == pytest.approx([1] * 3)
    assert not torch.equal(W_E, random_embedding(20, 6, seed=3, name="W_P"))


def test_first_weights_are_uniform_and_biases_have_their_offset() -> None:
    cfg = FeatureMLPConfig(N=400, m=100, k=900)
    model = FeatureMLP.initialised(cfg, seed=0, initial_bias=-1.0)
    assert model.W_in.abs().max() <= 0.1
    assert model.W_in.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.02)
    assert model.W_out.std().item() == pytest.approx(1 / 30 / 3**0.5, rel=0.02)
    assert model.b_in.mean().item() == pytest.approx(-1, abs=0.01)
    assert (model.b_in + 1).abs().max() <= 0.1 + 1e-6
    # the same but for the offset
    other = FeatureMLP.initialised(cfg, seed=0)
    assert torch.equal(model.W_in, other.W_in)
    torch.testing.assert_close(model.b_in + 1, other.b_in)


def test_weights_of_another_shape_are_refused() -> None:
    tensors = FeatureMLP(FeatureMLPConfig(N=4, m=2, k=3)).state_dict()
    with pytest.raises(InputError, match="expected weights of shapes"):
        FeatureMLP.from_tensors(FeatureMLPConfig(N=4, m=2, k=4), tensors)
    with pytest.raises(InputError, match="W_P"):
        FeatureMLP.from_tensors(FeatureMLPConfig(N=4, m=2, k=3, task="reproject"), tensors)
