"""Which units make a circuit, by their scores."""

import heapq
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.circuits.units import Units
from mitool.core.errors import UsageError
from mitool.settings import Selection

FRACTIONS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of all edges that a curve has its points at: those of MIB (arXiv 2504.13151)."""


def ranked(
    units: Units,
    scores: Float[Tensor, " unit"],
    selection: Selection,
    threshold: float | None = None,
) -> Int[Tensor, " chosen"]:
    """Units by how soon they are taken.

    Args:
        selection: ``absolute`` takes the largest scores of either sign first, ``signed`` the
            largest, ``greedy`` the largest of either sign among edges into what has been taken,
            starting from the logits.
        threshold: of the size of a score, or for ``signed`` of the score, of what is taken at all.

    Raises:
        UsageError: ``greedy`` goes along edges, and the units are none.
    """
    strength = scores if selection == "signed" else scores.abs()
    allowed = torch.ones_like(scores, dtype=torch.bool)
    if threshold is not None:
        allowed = strength >= threshold
    if selection == "greedy":
        if units.level != "edge":
            raise UsageError(
                "--selection greedy goes from the logits along edges: give --level edge"
            )
        return torch.tensor(list(_greedily(units, strength, allowed)), dtype=torch.int64)
    order = strength.sort(descending=True, stable=True).indices
    return order[allowed[order]]


def first(
    units: Units, order: Int[Tensor, " chosen"], sizes: list[int]
) -> Bool[Tensor, "size unit"]:
    """The first so many of an order, for each size."""
    found = torch.zeros(len(sizes), len(units), dtype=torch.bool)
    for row, size in zip(found, sizes, strict=True):
        row[order[:size]] = True
    return found


def sizes_of(units: Units) -> list[int]:
    """How many units those shares of all are: rounded down, as MIB does."""
    return [int(fraction * len(units)) for fraction in FRACTIONS]


def ladder(n: int) -> list[int]:
    """Sizes from 1 up to ``n``, each at most a half more than the one before: 1, 2, 3, 4, 6, .."""
    sizes = [1]
    while sizes[-1] < n:
        sizes.append(min(n, max(sizes[-1] + 1, sizes[-1] * 3 // 2)))
    return sizes


def _greedily(
    units: Units, strength: Float[Tensor, " unit"], allowed: Bool[Tensor, " unit"]
) -> Iterator[int]:
    """Edges, each the strongest of those that lead into what has been reached."""
    n_columns = max(1, len(units.columns))
    into: dict[str, list[int]] = {}
    for number, edge in enumerate(units.table.edges):
        own = range(number * n_columns, (number + 1) * n_columns)
        into.setdefault(str(edge.target), []).extend(own)
    values, usable = strength.tolist(), allowed.tolist()
    queue, reached = list[tuple[float, int]](), {"logits"}

    def reach(node: str) -> None:
        for unit in into.get(node, ()):
            if usable[unit]:
                heapq.heappush(queue, (-values[unit], unit))

    reach("logits")
    while queue:
        _, unit = heapq.heappop(queue)
        yield unit
        writer = str(units.table.edges[unit // n_columns].source)
        if writer not in reached:
            reached.add(writer)
            reach(writer)
