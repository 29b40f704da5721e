"""Intervals and p-values against scipy, and against what they must come to."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from mitool.analysis import statistics
from mitool.analysis.statistics import (
    auroc,
    bootstrap_ratio,
    largest_by_chance,
    pearson,
    ranks,
    spearman,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_the_interval_is_scipys() -> None:
    below = 5 + drawn(40)
    above = torch.stack([0.5 * below + 0.3 * drawn(40, seed=site) for site in (1, 2, 3)])
    low, high = bootstrap_ratio(above, below, 20_000, generator())
    for site in range(3):
        expected = stats.bootstrap(
            (above[site].numpy(), below.numpy()),
            lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=20_000,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        width = expected.high - expected.low
        assert abs(low[site].item() - expected.low) < 0.03 * width
        assert abs(high[site].item() - expected.high) < 0.03 * width


def test_an_effect_that_is_the_same_in_every_pair_has_no_width() -> None:
    below = 5 + drawn(10)
    low, high = bootstrap_ratio((0.25 * below)[None], below, 200, generator())
    assert low.item() == pytest.approx(0.25)
    assert high.item() == pytest.approx(0.25)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    hits = 0
    for trial in range(300):
        values = 1 + drawn(50, seed=trial)
        low, high = bootstrap_ratio(values[None], torch.ones(50), 400, generator())
        hits += bool(low <= 1 <= high)
    assert 0.90 < hits / 300 < 0.98


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    above, below = drawn(7, 30), 3 + drawn(30)
    whole = bootstrap_ratio(above, below, 100, generator())
    p = largest_by_chance(above, 100, generator())
    monkeypatch.setattr(statistics, "CHUNK", 1)
    for one, other in zip(bootstrap_ratio(above, below, 100, generator()), whole, strict=True):
        torch.testing.assert_close(one, other)
    assert largest_by_chance(above, 100, generator()) == p


def test_with_few_pairs_every_sign_is_tried() -> None:
    values = drawn(3, 6) + 0.4
    observed = values.mean(dim=1).abs().max()
    as_large = sum(
        bool((values * torch.tensor(signs)).mean(dim=1).abs().max() >= observed - 1e-12)
        for signs in itertools.product((1.0, -1.0), repeat=6)
    )
    assert largest_by_chance(values, 64, generator()) == as_large / 64
    assert largest_by_chance(torch.ones(1, 6), 64, generator()) == 2 / 64


def test_of_one_site_it_is_scipys_permutation_test() -> None:
    values = drawn(25) + 0.3
    expected = stats.permutation_test(
        (values.numpy(),),
        lambda x, axis: abs(x.mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).pvalue
    assert largest_by_chance(values[None], 20_000, generator()) == pytest.approx(expected, abs=0.01)


def test_where_nothing_matters_small_values_are_as_rare_as_they_say() -> None:
    found = [largest_by_chance(drawn(20, 12, seed=t), 400, generator()) for t in range(200)]
    assert 0.01 < np.mean(np.array(found) <= 0.05) < 0.10


def with_ties(seed: int) -> torch.Tensor:
    return (2 * drawn(40, seed=seed)).round()


def test_correlations_and_ranks_are_scipys() -> None:
    for x, y in ((drawn(30), drawn(30, seed=1)), (with_ties(0), with_ties(1) + with_ties(0))):
        assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-14)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-14)
        np.testing.assert_array_equal(ranks(x).numpy(), stats.rankdata(x.numpy()))
        assert spearman(x, -x.exp()) == pytest.approx(-1, abs=1e-14)
    assert len(with_ties(0).unique()) < 15
    for value in (1.0, 0.1):  # the mean of three 0.1 is not 0.1
        same = torch.full((3,), value, dtype=torch.float64)
        assert math.isnan(pearson(same, torch.tensor([0.0, 1.0, 5.0])))
        assert math.isnan(pearson(torch.tensor([0.0, 1.0, 5.0]), same))


def test_auroc_is_the_mann_whitney_statistic() -> None:
    for scores in (drawn(40), with_ties(0), with_ties(1)):
        for is_true in (drawn(40, seed=2) > 0.8, drawn(40, seed=2) < 1.5):
            u = stats.mannwhitneyu(scores[is_true], scores[~is_true]).statistic
            expected = u / (is_true.sum() * (~is_true).sum()).item()
            assert auroc(scores, is_true) == pytest.approx(expected, abs=1e-14)
    half = torch.tensor([True, False])
    assert auroc(torch.tensor([3.0, 1.0]), half) == 1
    assert auroc(torch.tensor([1.0, 3.0]), half) == 0
    assert auroc(torch.tensor([2.0, 2.0]), half) == 0.5
    assert math.isnan(auroc(torch.ones(2), torch.ones(2).bool()))
