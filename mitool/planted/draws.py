"""Pairs of independent examples with different answers."""

import torch
from torch import Generator

from mitool.planted.base import Drawn
from mitool.tasks import Task


def independent(task: Task, n: int, generator: Generator) -> Drawn:
    """Pairs of examples drawn apart, whose answers at the last token differ.

    All that the answer depends on changes from the one to the other, so that every edge that
    carries any of it matters in some pair.
    """
    clean, corrupted = (task.sample(8 * n, generator) for _ in range(2))
    chosen = (clean.targets[:, -1] != corrupted.targets[:, -1]).nonzero()[:n, 0]
    assert len(chosen) == n, f"task {task.name} has answers that differ in an eighth of all pairs"
    clean, corrupted = clean[chosen], corrupted[chosen]
    assert not torch.equal(clean.tokens, corrupted.tokens)
    return clean.tokens, corrupted.tokens, clean.targets[:, -1], corrupted.targets[:, -1]
