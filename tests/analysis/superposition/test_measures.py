"""Measures of models whose weights are set by hand, and slow twins of them."""

import math

import pytest
import torch

from mitool.analysis.superposition.directions import cosines, neighbour_angles
from mitool.analysis.superposition.experiments.base import tied_claims
from mitool.analysis.superposition.measures import (
    dimensionality,
    dimensions_per_feature,
    interference,
    mean_interference,
    norms,
    represented,
)
from mitool.analysis.superposition.polytopes import (
    POLYTOPES,
    Polytope,
    clusters,
    components,
    polytopes,
)
from tests.analysis.superposition.handset import (
    DIGON,
    TETRAHEDRON,
    directions,
    polygon,
    square_antiprism,
    studied,
    tegum,
)

VERTICES = {
    "tetrahedron": TETRAHEDRON,
    "triangle": polygon(3),
    "digon": DIGON,
    "pentagon": polygon(5),
    "square_antiprism": square_antiprism(),
}


def test_measures_of_two_and_a_half_directions_by_hand() -> None:
    """W_0 = (2, 0), W_1 = (0.6, 0.8), W_2 = (0, 0)."""
    W = directions((2.0, 0.0), (0.6, 0.8), (0.0, 0.0))
    assert norms(W)[0].tolist() == pytest.approx([2, 1, 0])
    assert represented(W)[0].tolist() == [True, True, False]
    assert interference(W)[0].tolist() == pytest.approx([0.36, 1.44, 0])
    assert dimensionality(W)[0].tolist() == pytest.approx([4 / 4.36, 1 / 2.44, 0])
    assert dimensions_per_feature(W).tolist() == pytest.approx([2 / 5])
    assert mean_interference(W) == [pytest.approx(0.9)]
    assert mean_interference(0 * W) == [None]
    assert dimensions_per_feature(0 * W).isinf().all()
    assert tied_claims("", studied(0 * W)) == {
        "features_represented": [0],
        "mean_interference": [None],
        "dimensions_per_feature": [None],
    }


def test_measures_agree_with_a_twin_that_goes_feature_by_feature() -> None:
    W = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(0))
    for model in range(3):
        for i in range(7):
            own = W[model, :, i]
            unit = own / own.norm()
            shares = [float(unit @ W[model, :, j]) ** 2 for j in range(7)]
            others = sum(shares) - shares[i]
            assert interference(W)[model, i].item() == pytest.approx(others, rel=1e-4)
            share = float(own @ own) / sum(shares)
            assert dimensionality(W)[model, i].item() == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize("polytope", POLYTOPES, ids=lambda p: p.name)
def test_every_vertex_of_a_polytope_has_its_dimensionality(polytope: Polytope) -> None:
    W = tegum(VERTICES[polytope.name])
    expected = [polytope.dimensionality] * polytope.n_vertices
    assert dimensionality(W)[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert polytopes(W[0]) == {polytope.name: 1}
    assert clusters(W)[polytope.name] == [polytope.n_vertices]


def test_polytopes_in_dimensions_of_their_own_are_told_apart() -> None:
    unrepresented = [(0.3,)]
    parts = [DIGON, polygon(5), TETRAHEDRON, DIGON, [(1.0,)], unrepresented, square_antiprism()]
    W = tegum(*parts)
    assert polytopes(W[0]) == {
        "digon": 2,
        "pentagon": 1,
        "tetrahedron": 1,
        "own_dimension": 1,
        "square_antiprism": 1,
    }
    assert clusters(W) == {
        "own_dimension": [1],
        "tetrahedron": [4],
        "triangle": [0],
        "digon": [4],
        "pentagon": [5],
        "square_antiprism": [8],
    }
    assert polytopes(tegum(polygon(6))[0]) == {"other": 1}
    assert clusters(tegum(polygon(6)))["digon"] == [0]


def test_components_of_a_path_a_lone_node_and_a_triangle() -> None:
    touching = torch.eye(7, dtype=torch.bool)
    for a, b in ((0, 2), (2, 5), (3, 4), (4, 6), (6, 3)):
        touching[a, b] = touching[b, a] = True
    assert components(touching) == [[0, 2, 5], [1], [3, 4, 6]]


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_neighbours_of_a_polygon_are_equally_far_apart(n: int) -> None:
    W = directions(*polygon(n, start=17))[0]
    shuffled = W[:, torch.randperm(n, generator=torch.Generator().manual_seed(0))]
    assert neighbour_angles(shuffled) == pytest.approx([360 / n] * n, abs=1e-3)


def test_angles_are_those_of_represented_features_and_less_than_half_a_turn() -> None:
    pair = directions((1.0, 0.0), (0.0, 1.0), (0.1, 0.1))[0]
    assert neighbour_angles(pair) == pytest.approx([90, 90], abs=1e-4)
    assert neighbour_angles(directions((1.0, 0.0), (-1.0, 0.0))[0]) == pytest.approx([180, 180])
    assert neighbour_angles(directions((1.0, 0.0), (0.1, 0.0))[0]) == []


def test_cosines_within_and_between_sets_by_hand() -> None:
    half = math.sqrt(0.5)
    W = directions((1.0, 0.0), (0.0, 2.0), (half, half), (0.0, 0.1))
    within, between = cosines(W, 2)
    assert within == [pytest.approx(0, abs=1e-7)]  # the fourth is not represented
    assert between == [pytest.approx(half)]
    assert cosines(W, 1)[0] == [None]
