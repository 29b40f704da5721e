"""Features have the distribution that they are to have, exactly."""

import numpy as np
import pytest
from scipy import stats

from mitool.models.superposition import AutoencoderConfig
from mitool.training.superposition.sampling import RARE, fill

DENSITIES = (1.0, 0.7, 0.31, RARE, 0.0999, 0.05, 0.01, 0.0005)
LEAST_P = 1e-4
"""Seeds are fixed: a test that passes once passes always."""


def drawn(
    density: float, shape: tuple[int, int, int] = (3, 40, 4001), **kind: object
) -> np.ndarray:
    cfg = AutoencoderConfig(n_features=shape[1], n_hidden=1, **kind)
    features = np.full(shape, np.nan, dtype=np.float32)
    fill(features, cfg, density, 0, "test")
    return features


@pytest.mark.parametrize("density", DENSITIES)
def test_values_are_uniform_and_their_number_is_binomial(density: float) -> None:
    features = drawn(density)
    values = features[features != 0]
    assert stats.kstest(values, "uniform").pvalue > LEAST_P
    assert ((values > 0) & (values <= 1)).all()
    if density == 1:
        assert len(values) >= features.size - 1  # one in 2^26 is rounded to 0
    else:
        assert stats.binomtest(len(values), features.size, density).pvalue > LEAST_P


@pytest.mark.parametrize("density", [0.5, 0.05])
def test_features_are_independent_of_one_another(density: float) -> None:
    is_on = drawn(density, (1, 30, 20_000))[0] != 0
    of_example = np.bincount(is_on.sum(axis=0), minlength=31)
    expected = stats.binom.pmf(np.arange(31), 30, density) * 20_000
    often = expected > 5
    found = np.append(of_example[often], of_example[~often].sum())
    wanted = np.append(expected[often], expected[~often].sum())
    assert stats.chisquare(found, wanted * found.sum() / wanted.sum()).pvalue > LEAST_P
    along = is_on.reshape(-1)
    pairs = np.corrcoef(along[:-1], along[1:])[0, 1]
    assert abs(pairs) < 4 / np.sqrt(along.size)


@pytest.mark.parametrize("density", [1.0, 0.3, 0.02])
def test_features_whose_absolute_values_are_learned_have_both_signs(density: float) -> None:
    features = drawn(density, target="abs")
    values = features[features != 0]
    assert stats.kstest(values, "uniform", (-1, 2)).pvalue > LEAST_P
    if density < 1:
        assert stats.binomtest(len(values), features.size, density).pvalue > LEAST_P


@pytest.mark.parametrize("density", [0.4, 0.05])
def test_correlated_sets_come_whole_or_not_at_all(density: float) -> None:
    features = drawn(density, correlation="correlated", set_size=4)
    sets = features.reshape(3, 10, 4, -1) != 0
    assert (sets.all(axis=2) == sets.any(axis=2)).all()
    assert stats.binomtest(int(sets[:, :, 0].sum()), sets[:, :, 0].size, density).pvalue > LEAST_P
    values = features.reshape(3, 10, 4, -1).transpose(2, 0, 1, 3).reshape(4, -1)
    on = values[:, values[0] != 0]
    assert stats.kstest(on.reshape(-1), "uniform").pvalue > LEAST_P
    assert abs(np.corrcoef(on[0], on[1])[0, 1]) < 4 / np.sqrt(on.shape[1])


@pytest.mark.parametrize("density", [1.0, 0.4, 0.05])
def test_of_anticorrelated_sets_at_most_one_feature_comes(density: float) -> None:
    sets = drawn(density, correlation="anticorrelated", set_size=4).reshape(3, 10, 4, -1)
    count = (sets != 0).sum(axis=2)
    assert count.max() == 1
    if density == 1:
        assert (count == 1).all()
    else:
        assert stats.binomtest(int(count.sum()), count.size, density).pvalue > LEAST_P
    which = (sets != 0).sum(axis=(0, 1, 3))
    assert stats.chisquare(which).pvalue > LEAST_P
    assert stats.kstest(sets[sets != 0], "uniform").pvalue > LEAST_P


def test_the_same_purpose_draws_the_same_and_another_draws_others() -> None:
    cfg = AutoencoderConfig(n_features=3, n_hidden=1)
    first, same, other = (np.zeros((2, 3, 8), dtype=np.float32) for _ in range(3))
    fill(first, cfg, 0.5, 1, "batch", 7)
    fill(same, cfg, 0.5, 1, "batch", 7)
    fill(other, cfg, 0.5, 1, "batch", 8)
    assert (first == same).all()
    assert (first != other).any()
