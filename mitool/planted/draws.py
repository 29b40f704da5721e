"""Pairs of independent examples with different answers."""

from torch import Generator

from mitool.planted.base import Drawn
from mitool.tasks import Examples, Task

EXCESS = 8
"""Pairs that are drawn for each one that is wanted: the answers of some are the same."""


def independent(task: Task, n: int, generator: Generator) -> Drawn:
    """Pairs of examples drawn apart, whose answers at the last token differ.

    All that the answer depends on changes from the one to the other, so that every edge that
    carries any of it matters in some pair.
    """
    clean, corrupted = (task.sample(EXCESS * n, generator) for _ in range(2))
    return differing(clean, corrupted, n)


def differing(clean: Examples, corrupted: Examples, n: int) -> Drawn:
    """The first ``n`` pairs of examples whose answers at the last token differ."""
    chosen = (clean.targets[:, -1] != corrupted.targets[:, -1]).nonzero()[:n, 0]
    assert len(chosen) == n, f"of {len(clean)} pairs {len(chosen)} have answers that differ"
    clean, corrupted = clean[chosen], corrupted[chosen]
    return clean.tokens, corrupted.tokens, clean.targets[:, -1], corrupted.targets[:, -1]
