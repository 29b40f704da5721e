"""Pairs of examples that have no input in common, so that what one shows is not shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitool.tasks.base import Examples, Pairs, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from jaxtyping import Int
    from torch import Generator, Tensor

    IsNew = Callable[[Hashable, Hashable], bool]

LEAST, MOST = 256, 4096
"""Pairs that are drawn at a time in the place of those that share an input."""

FRUITLESS = 8
"""Such draws in a row that bring nothing, before a task is taken to have no more."""


def pairs_apart(task: Task, n: int, generator: Generator) -> Pairs:
    """Draw ``n`` pairs of a task that have no input in common.

    Where the task has too few inputs for that, the rest have a clean input of their own and share
    the corrupted one with another pair. Where there are too few even so, there are fewer pairs.
    If the first ``n`` that the task draws have no input in common, it is these.

    Raises:
        UsageError: the task's examples all have the same answer.
    """
    drawn, apart = [task.pairs(n, generator)], Apart()
    taken = [apart.take(drawn[0], n)]
    for shares_corrupted in (False, True):
        fruitless = 0
        while len(apart) < n and fruitless < FRUITLESS:
            size = min(max(n - len(apart), LEAST), MOST)
            drawn.append(task.pairs(size, generator))
            rows = apart.take(drawn[-1], n - len(apart), shares_corrupted=shares_corrupted)
            taken.append(rows)
            fruitless = 0 if len(rows) else fruitless + 1
    parts = [pairs[rows] for pairs, rows in zip(drawn, taken, strict=True)]
    return Pairs(_joined(part.clean for part in parts), _joined(part.corrupted for part in parts))


class Apart:
    """Takes pairs, one batch after another, that share no input with those taken before."""

    def __init__(self) -> None:
        self._clean: set[Hashable] = set()
        self._corrupted: set[Hashable] = set()

    def __len__(self) -> int:
        """How many pairs were taken."""
        return len(self._clean)

    def take(
        self, pairs: Pairs, most: int, *, shares_corrupted: bool = False
    ) -> Int[Tensor, " taken"]:
        """Take the pairs whose inputs are new, the first so many; returns their rows.

        Args:
            shares_corrupted: the corrupted input may be that of a pair before.
        """
        import torch

        taken: list[int] = []
        sides = (map(tuple, side.tokens.tolist()) for side in (pairs.clean, pairs.corrupted))
        for row, (clean, corrupted) in enumerate(zip(*sides, strict=True)):
            if len(taken) == most:
                break
            is_new = clean not in self._corrupted and not self._clean & {clean, corrupted}
            if is_new and (shares_corrupted or corrupted not in self._corrupted):
                self._clean.add(clean)
                self._corrupted.add(corrupted)
                taken.append(row)
        return torch.tensor(taken, dtype=torch.int64)


def _joined(parts: Iterable[Examples]) -> Examples:
    import torch

    tokens, targets = zip(*((part.tokens, part.targets) for part in parts), strict=True)
    return Examples(torch.cat(tokens), torch.cat(targets))
