"""How sure a mean over pairs is: bootstrap intervals and permutation tests.

Pairs come in groups. Those of different groups are independent of each other, those of one are
taken to say one thing, as repeated rows do: what is resampled, or has its sign changed, are groups.
A pair that is there several times counts as often in every mean, and so does its group.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

LEVEL = 0.95
CHUNK = 2**22
"""Numbers held at a time, whatever the number of pairs and of resamples."""


def bootstrap_ratio(
    numerator: Float[Tensor, "site pair"],
    denominator: Float[Tensor, " pair"],
    groups: Int[Tensor, " pair"],
    n_resamples: int,
    generator: Generator,
) -> tuple[Float[Tensor, " site"], Float[Tensor, " site"]]:
    """Percentile intervals (95 %) of ``mean(numerator) / mean(denominator)``: low and high ends.

    Groups are resampled, both numbers of a pair together: Efron and Tibshirani, An Introduction to
    the Bootstrap, 1993, chapter 13; of groups Davison and Hinkley, Bootstrap Methods and Their
    Application, 1997, section 3.8. One group says nothing of others: the ends are then NaN.

    Args:
        groups: the number of each pair's group, from 0.
    """
    numerator, denominator = sums(numerator, groups), sums(denominator, groups)
    n = len(denominator)
    if n < 2:
        undefined = torch.full((len(numerator),), math.nan, dtype=torch.float64)
        return undefined, undefined
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)
    found, start = [], generator.get_state()
    for part in numerator.split(max(1, CHUNK // n_resamples)):
        generator.set_state(start)  # all sites have the same resamples
        resamples = _resamples(n, n_resamples, generator)
        ratios = [part @ counts.T / (counts @ denominator) for counts in resamples]
        found.append(torch.cat(ratios, dim=1).quantile(ends, dim=-1))
    low, high = torch.cat(found, dim=-1)
    return low, high


def _resamples(
    n: int, n_resamples: int, generator: Generator
) -> Iterator[Float[Tensor, "resample group"]]:
    """How often each of ``n`` groups is in each resample, some resamples at a time."""
    for size in _parts(n_resamples, n):
        drawn = torch.randint(n, (size, n), generator=generator)
        counts = torch.zeros(size, n, dtype=torch.float64)
        yield counts.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))


def _parts(n_rows: int, n_columns: int) -> list[int]:
    """Rows that are held at a time, of so many."""
    size = max(1, CHUNK // n_columns)
    return [min(size, n_rows - start) for start in range(0, n_rows, size)]


def is_weak(values: Float[Tensor, " pair"], groups: Int[Tensor, " pair"]) -> bool:
    """Whether a mean is within two standard errors of 0, which are those of a mean over groups.

    Args:
        groups: the number of each pair's group, from 0.
    """
    mean = values.double().mean()
    apart = sums(values - mean, groups)
    n = len(apart)
    error = (n / (n - 1) * apart.square().sum()).sqrt() / len(values) if n > 1 else 0.0
    return bool(mean.abs() < 2 * error)


def largest_by_chance(
    differences: Float[Tensor, "site pair"],
    groups: Int[Tensor, " pair"],
    n_permutations: int,
    generator: Generator,
) -> float:
    """How often chance alone makes the mean of some site as large as the largest here is.

    Under the null hypothesis that no site matters, the differences of each group could have had
    the other sign; the same sign is drawn for all pairs of a group and all sites, so that the
    p-value is one of the whole sweep (Westfall and Young's max-T). With few groups all signs are
    tried.

    Args:
        groups: the number of each pair's group, from 0.
    """
    values = sums(differences, groups)
    n = values.shape[1]
    observed = values.sum(dim=1).abs().max()
    is_whole = n <= 20 and 2**n <= n_permutations
    n_signs = 2**n if is_whole else n_permutations
    as_large, tried = 0, 0
    for size in _parts(n_signs, max(n, len(values))):
        if is_whole:
            bits = torch.arange(tried, tried + size)[:, None] >> torch.arange(n) & 1
        else:
            bits = torch.randint(2, (size, n), generator=generator)
        largest = ((1.0 - 2.0 * bits.double()) @ values.T).abs().amax(dim=1)
        as_large += int((largest >= observed * (1 - 1e-12)).sum())
        tried += size
    return as_large / n_signs if is_whole else (as_large + 1) / (n_signs + 1)


def sums(
    values: Float[Tensor, "*site pair"], groups: Int[Tensor, " pair"]
) -> Float[Tensor, "*site group"]:
    """What the pairs of each group come to together, in float64."""
    found = torch.zeros(*values.shape[:-1], int(groups.max()) + 1, dtype=torch.float64)
    return found.index_add_(-1, groups, values.double())


def pearson(x: Float[Tensor, " item"], y: Float[Tensor, " item"]) -> float:
    """Correlation; NaN where one of the two does not vary."""
    if any((values == values[:1]).all() for values in (x, y)):  # whose mean is rounded
        return math.nan
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    return ((x @ y) / (x.norm() * y.norm())).item()


def spearman(x: Float[Tensor, " item"], y: Float[Tensor, " item"]) -> float:
    """Correlation of ranks, equal values having the mean of theirs."""
    return pearson(ranks(x), ranks(y))


def auroc(scores: Float[Tensor, " item"], is_true: Bool[Tensor, " item"]) -> float:
    """How often a true item has a larger score than a false one, ties counting half: the area
    under the ROC curve, exactly (Mann and Whitney 1947). NaN where all are true or none is.
    """
    n_true = int(is_true.sum())
    n_false = len(is_true) - n_true
    if not n_true or not n_false:
        return math.nan
    above = ranks(scores)[is_true].sum().item() - n_true * (n_true + 1) / 2
    return above / (n_true * n_false)


def ranks(values: Float[Tensor, " item"]) -> Float[Tensor, " item"]:
    """Places in ascending order, from 1; equal values have the mean of theirs."""
    _, which, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(dim=0).double()
    return (last - (counts.double() - 1) / 2)[which]
