"""Pairs of independent examples with different answers, no two of which share an input."""

from torch import Generator

from mitool.planted.base import Drawn
from mitool.tasks import Examples, Pairs, Task
from mitool.tasks.apart import Apart

EXCESS = 32
"""Pairs that are drawn for each one that is wanted: some have the same answers, or share an input
with another.
"""


def independent(task: Task, n: int, generator: Generator) -> Drawn:
    """Pairs of examples drawn apart, whose answers at the last token differ.

    All that the answer depends on changes from the one to the other, so that every edge that
    carries any of it matters in some pair.
    """
    clean, corrupted = (task.sample(EXCESS * n, generator) for _ in range(2))
    return differing(clean, corrupted, n)


def differing(clean: Examples, corrupted: Examples, n: int) -> Drawn:
    """The first ``n`` pairs of examples whose answers at the last token differ and that share no
    input with one before; fewer, where there are not as many inputs.
    """
    differ = (clean.targets[:, -1] != corrupted.targets[:, -1]).nonzero()[:, 0]
    clean, corrupted = clean[differ], corrupted[differ]
    chosen = Apart().take(Pairs(clean, corrupted), n)
    clean, corrupted = clean[chosen], corrupted[chosen]
    return clean.tokens, corrupted.tokens, clean.targets[:, -1], corrupted.targets[:, -1]
