"""The closed form of phases against sampled losses, and phases of weights set by hand."""

from typing import Literal

import numpy as np
import pytest
import torch

from mitool.analysis.superposition.experiments.phase import Diagram
from mitool.analysis.superposition.phases import (
    PHASES,
    away_from_boundaries,
    found,
    losses_of_arrangements,
    predicted,
)
from mitool.models.superposition import AutoencoderConfig, Autoencoders
from mitool.training.superposition.sampling import fill
from tests.analysis.superposition.handset import directions, studied

N = 400_000
LEFT_OUT = "the extra feature is left out"
OTHER_LEFT_OUT = "another feature is left out"
ANTIPODES = "the extra feature and another are antipodes"
OTHERS_ANTIPODES = "the two others are antipodes"

WEIGHTS: dict[int, dict[str, tuple[tuple[float, ...], ...]]] = {
    2: {
        LEFT_OUT: ((1.0,), (0.0,)),
        OTHER_LEFT_OUT: ((0.0,), (1.0,)),
        ANTIPODES: ((1.0,), (-1.0,)),
    },
    3: {
        LEFT_OUT: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0)),
        OTHER_LEFT_OUT: ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0)),
        ANTIPODES: ((1.0, 0.0), (0.0, 1.0), (0.0, -1.0)),
        OTHERS_ANTIPODES: ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0)),
    },
}


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize(("density", "importance"), [(1.0, 0.5), (0.4, 2.0), (0.1, 7.0)])
def test_the_closed_form_is_the_loss_of_the_weights(
    n: Literal[2, 3], density: float, importance: float
) -> None:
    """Of those that are left out the bias is the mean; standard errors are under 0.5 %."""
    x = np.empty((1, n, N), dtype=np.float32)
    fill(x, AutoencoderConfig(n_features=n, n_hidden=n - 1), density, 0, "phase")
    forms = losses_of_arrangements(n, torch.tensor(density), torch.tensor(importance))
    assert forms.keys() == WEIGHTS[n].keys()
    for name, vectors in WEIGHTS[n].items():
        W = directions(*vectors)
        given = studied(W, density).models
        is_out = W.norm(dim=1) == 0
        models = Autoencoders(
            given.cfg,
            given.density,
            torch.tensor([[1.0] * (n - 1) + [importance]]),
            W,
            density / 2 * is_out,
        )
        expected = forms[name][1].item()
        assert models.losses(torch.from_numpy(x)).item() == pytest.approx(expected, rel=0.02)


def test_phases_are_those_of_the_paper() -> None:
    """Dense: the more important feature has the dimension; sparse: both share it."""

    def at(n: Literal[2, 3], density: float, importance: float) -> str:
        return PHASES[int(predicted(n, torch.tensor(density), torch.tensor(importance)))]

    for n in (2, 3):
        assert at(n, 1.0, 0.1) == "not represented"
        assert at(n, 1.0, 10.0) == "own dimension"
        assert at(n, 0.05, 1.0 if n == 2 else 0.5) == "superposition"
    assert at(3, 0.05, 10.0) == "own dimension"  # the two others share a dimension
    assert at(2, 0.05, 10.0) == "superposition"


def test_the_boundary_of_equal_importances_is_where_both_losses_are_equal() -> None:
    """p/3 - p^2/4 = 2 p^2/6 at p = 4/7."""
    for density, phase in ((4 / 7 - 1e-6, "superposition"), (4 / 7 + 1e-6, "not represented")):
        one = torch.tensor(1.0, dtype=torch.float64)
        assert PHASES[int(predicted(2, density * one, one))] == phase


@pytest.mark.parametrize("n", [2, 3])
def test_weights_set_by_hand_are_in_their_phases(n: Literal[2, 3]) -> None:
    forms = losses_of_arrangements(n, torch.tensor(0.5), torch.tensor(1.0))
    for name, vectors in WEIGHTS[n].items():
        assert PHASES[int(found(directions(*vectors)))] == forms[name][0]


def test_cells_beside_another_phase_are_at_the_boundary() -> None:
    phases = torch.tensor([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    inside = [[True, True, False, False], [True, True, False, False], [True] * 4]
    assert away_from_boundaries(phases).tolist() == inside


def test_a_diagrams_agreement_is_counted_by_hand() -> None:
    """Two densities by two importances; the last cell has the wrong weights."""
    W = torch.cat([directions(*WEIGHTS[2][name]) for name in (LEFT_OUT, OTHER_LEFT_OUT)])
    W = torch.cat([W, directions(*WEIGHTS[2][ANTIPODES]), directions(*WEIGHTS[2][LEFT_OUT])])
    given = studied(W, [1.0, 1.0, 0.05, 0.05])
    given.models.importance[:, 1] = torch.tensor([0.2, 5.0, 0.2, 5.0])
    diagram = Diagram.of(given)
    assert diagram.density == pytest.approx((1.0, 0.05))
    assert diagram.importance == pytest.approx((0.2, 5.0))
    assert diagram.predicted.tolist() == [[0, 1], [2, 2]]
    assert diagram.found.tolist() == [[0, 1], [2, 0]]
    assert diagram.agreement() == 0.75
    assert diagram.agreement(diagram.inside) is None
