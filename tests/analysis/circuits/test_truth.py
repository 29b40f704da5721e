"""What was chosen against a true circuit."""

import math

import pytest
import torch
from scipy.stats import mannwhitneyu

from mitool.analysis.circuits.circuit import circuit_of
from mitool.analysis.circuits.truth import agreement
from mitool.analysis.circuits.units import Units
from mitool.settings import Level
from tests.analysis.circuits.graphs import COLUMNS, D_MODEL, SMALL, stored


def test_counted_by_hand() -> None:
    """Of four true edges two are among the five that were chosen."""
    units = Units(SMALL, "edge", D_MODEL)
    truth = circuit_of(SMALL, SMALL.mask(SMALL.edges[:4])[..., None])
    chosen = torch.zeros(len(units)).bool()
    chosen[2:7] = True
    found = agreement(units, chosen, None, truth)
    assert (found.precision, found.recall) == (2 / 5, 2 / 4)
    assert math.isnan(found.auroc)


@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_the_area_is_that_of_mann_and_whitney(level: Level) -> None:
    units, truth = Units(SMALL, level, D_MODEL), stored(level).circuit
    is_true = units.units_of(truth)
    assert 0 < is_true.sum() < len(units)
    scores = torch.randn(len(units), generator=torch.Generator().manual_seed(1))
    scores = (4 * scores).round() / 4  # with ties
    found = agreement(units, is_true, scores, truth)
    assert (found.precision, found.recall) == (1, 1)
    strength = scores.abs()
    u = mannwhitneyu(strength[is_true], strength[~is_true]).statistic
    area = u / (int(is_true.sum()) * int((~is_true).sum()))
    assert found.auroc == pytest.approx(area)


def test_a_true_circuit_that_is_alike_at_all_positions_is_true_at_each() -> None:
    units = Units(SMALL, "edge", D_MODEL, COLUMNS)
    truth = circuit_of(SMALL, SMALL.mask(SMALL.edges[:1])[..., None])
    chosen = torch.zeros(len(units)).bool()
    chosen[:2] = True
    scores = torch.arange(len(units), 0, -1).double()
    found = agreement(units, chosen, scores, truth)
    assert (found.precision, found.recall, found.auroc) == (1, 2 / 3, 1)


def test_what_is_undefined_is_no_number() -> None:
    units = Units(SMALL, "edge", D_MODEL)
    nothing = torch.zeros(len(units)).bool()
    empty = circuit_of(SMALL, torch.zeros(*SMALL.exists.shape, 1).bool())
    found = agreement(units, nothing, torch.ones(len(units)), empty)
    assert all(math.isnan(value) for value in (found.precision, found.recall, found.auroc))
    found = agreement(units, ~nothing, torch.ones(len(units)), empty)
    assert (found.precision, math.isnan(found.recall)) == (0, True)
