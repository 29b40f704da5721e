"""Intervals and p-values against scipy, and against what they must come to."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from mitool.analysis import statistics
from mitool.analysis.statistics import (
    auroc,
    bootstrap_ratio,
    is_weak,
    largest_by_chance,
    pearson,
    ranks,
    spearman,
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def apart(n: int) -> torch.Tensor:
    """Every pair a group of its own."""
    return torch.arange(n)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_the_interval_is_scipys() -> None:
    below = 5 + drawn(40)
    above = torch.stack([0.5 * below + 0.3 * drawn(40, seed=site) for site in (1, 2, 3)])
    low, high = bootstrap_ratio(above, below, apart(40), 20_000, generator())
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
    low, high = bootstrap_ratio((0.25 * below)[None], below, apart(10), 200, generator())
    assert low.item() == pytest.approx(0.25)
    assert high.item() == pytest.approx(0.25)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    hits = 0
    for trial in range(300):
        values = 1 + drawn(50, seed=trial)
        low, high = bootstrap_ratio(values[None], torch.ones(50), apart(50), 400, generator())
        hits += bool(low <= 1 <= high)
    assert 0.90 < hits / 300 < 0.98


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    above, below = drawn(7, 30), 3 + drawn(30)
    whole = bootstrap_ratio(above, below, apart(30), 100, generator())
    p = largest_by_chance(above, apart(30), 100, generator())
    monkeypatch.setattr(statistics, "CHUNK", 1)
    again = bootstrap_ratio(above, below, apart(30), 100, generator())
    for one, other in zip(again, whole, strict=True):
        torch.testing.assert_close(one, other)
    assert largest_by_chance(above, apart(30), 100, generator()) == p


MEASURE = """
import resource, torch
from mitool.analysis.statistics import bootstrap_ratio, largest_by_chance
values, ones = torch.randn(8, 20_000), torch.ones(20_000)
groups, draws = torch.arange(20_000), torch.Generator().manual_seed(0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
bootstrap_ratio(values, ones, groups, 2_000, draws)
largest_by_chance(values, groups, 2_000, draws)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_pairs_times_resamples() -> None:
    """All resamples of 20 000 pairs at a time would be 0.9 GB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 250_000  # KiB


def test_with_few_pairs_every_sign_is_tried() -> None:
    values = drawn(3, 6) + 0.4
    observed = values.mean(dim=1).abs().max()
    as_large = sum(
        bool((values * torch.tensor(signs)).mean(dim=1).abs().max() >= observed - 1e-12)
        for signs in itertools.product((1.0, -1.0), repeat=6)
    )
    assert largest_by_chance(values, apart(6), 64, generator()) == as_large / 64
    assert largest_by_chance(torch.ones(1, 6), apart(6), 64, generator()) == 2 / 64


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
    found = largest_by_chance(values[None], apart(25), 20_000, generator())
    assert found == pytest.approx(expected, abs=0.01)


def test_where_nothing_matters_small_values_are_as_rare_as_they_say() -> None:
    found = [
        largest_by_chance(drawn(20, 12, seed=t), apart(12), 400, generator()) for t in range(200)
    ]
    assert 0.01 < np.mean(np.array(found) <= 0.05) < 0.10


def test_repeated_pairs_have_the_statistics_of_the_different_ones() -> None:
    """Each four times, in any order: the same intervals, p-values and warning as each once."""
    for n in (2, 5, 8):
        above, below = drawn(3, n) + 0.4, 0.5 + drawn(n, seed=1)
        order = torch.randperm(4 * n, generator=generator())
        groups = apart(n).repeat(4)[order]
        again = above.repeat(1, 4)[:, order], below.repeat(4)[order]
        once = bootstrap_ratio(above, below, apart(n), 500, generator())
        for end, other in zip(bootstrap_ratio(*again, groups, 500, generator()), once, strict=True):
            torch.testing.assert_close(end, other)
        p = largest_by_chance(above, apart(n), 500, generator())
        assert largest_by_chance(again[0], groups, 500, generator()) == p
        assert p >= 2.0 ** (1 - n)
        assert is_weak(again[1], groups) == is_weak(below, apart(n))
    assert largest_by_chance(torch.ones(1, 8), apart(2).repeat(4), 5000, generator()) == 0.5
    assert largest_by_chance(torch.ones(1, 8), apart(8), 5000, generator()) == 2 / 2**8


def test_repeats_are_weights() -> None:
    """A pair that is there three times has three times the weight of the other in every resample:
    of two groups those are one of them twice, or each once.
    """
    above, groups = torch.tensor([[1.0, 1.0, 5.0, 1.0]]), torch.tensor([0, 0, 1, 0])
    below = torch.ones(4)
    low, high = bootstrap_ratio(above, below, groups, 2000, generator())
    assert (low.item(), high.item()) == (1.0, 5.0)
    assert largest_by_chance(above, groups, 16, generator()) == 0.5  # of 8, 8, 2 and 2


def test_the_interval_over_groups_covers_the_truth_as_often_as_it_says() -> None:
    """Groups of one to four pairs that share most of their noise; over pairs it would not."""
    over_groups = over_pairs = 0
    for trial in range(300):
        groups = torch.arange(40).repeat_interleave(torch.arange(40) % 4 + 1)
        values = 1 + drawn(40, seed=trial)[groups] + 0.3 * drawn(len(groups), seed=1000 + trial)
        ones = torch.ones(len(groups))
        low, high = bootstrap_ratio(values[None], ones, groups, 400, generator())
        over_groups += bool(low <= 1 <= high)
        low, high = bootstrap_ratio(values[None], ones, apart(len(groups)), 400, generator())
        over_pairs += bool(low <= 1 <= high)
    assert 0.90 < over_groups / 300 < 0.98
    assert over_pairs / 300 < 0.85


def test_where_nothing_matters_groups_are_not_mistaken_for_evidence() -> None:
    """Twelve groups of four pairs with the same noise: by pairs most sweeps would be remarkable."""
    groups = apart(12).repeat_interleave(4)
    sweeps = [drawn(20, 12, seed=trial)[:, groups] for trial in range(200)]
    found = [largest_by_chance(sweep, groups, 400, generator()) for sweep in sweeps]
    assert 0.01 < np.mean(np.array(found) <= 0.05) < 0.10
    by_pairs = [largest_by_chance(sweep, apart(48), 400, generator()) for sweep in sweeps[:50]]
    assert np.mean(np.array(by_pairs) <= 0.05) > 0.3


def test_the_standard_error_of_pairs_apart_is_that_of_their_mean() -> None:
    for shift in (0.0, 0.2, 0.3, 0.4, 0.6):
        values = shift + drawn(30)
        expected = abs(values.mean()) < 2 * values.std() / 30**0.5
        assert is_weak(values, apart(30)) == expected


def test_one_group_says_nothing_of_others() -> None:
    groups = torch.zeros(5, dtype=torch.int64)
    ends = bootstrap_ratio(drawn(3, 5), 2 + drawn(5), groups, 100, generator())
    assert all(end.isnan().all() for end in ends)
    assert largest_by_chance(drawn(3, 5), groups, 100, generator()) == 1
    assert not is_weak(drawn(5), groups)


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
