"""Which pairs say the same thing again: groups of pairs that have an input in common.

Pairs that share an input, mirrored ones among them, are no independent evidence, and what was found
on one of them was found on the others too. So statistics resample groups, and a hold-out divides
groups.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.pairs.prompt_pairs import PromptPairs


@dataclass(frozen=True)
class PairGroups:
    """Pairs in groups: those with an input in common, and those that are linked through others.

    Two pairs have an input in common where their clean inputs are the same, or their corrupted
    ones, or one's clean and the other's corrupted. A file may name groups of its own instead.

    Attributes:
        of: the number of each pair's group, from 0, in the order of their first pairs.
        distinct: the number of each pair among those that differ, likewise; two do not where both
            inputs and the answers are the same.
        are_named: a file names the groups.
        divided: the groups that a file names and that share an input with another of its groups.
    """

    of: Int[Tensor, " pair"]
    distinct: Int[Tensor, " pair"]
    are_named: bool = False
    divided: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.of)

    def __getitem__(self, chosen: Int[Tensor, " chosen"]) -> "PairGroups":
        """The groups of some of the pairs."""
        of, distinct = (_numbered(part[chosen].tolist()) for part in (self.of, self.distinct))
        return PairGroups(of, distinct, self.are_named, self.divided)

    @property
    def n(self) -> int:
        """The number of groups."""
        return _highest(self.of)

    @property
    def n_distinct(self) -> int:
        """The number of pairs that differ."""
        return _highest(self.distinct)

    @property
    def are_pairs(self) -> bool:
        """Whether every pair is a group of its own."""
        return self.n == len(self)

    def __str__(self) -> str:
        """Such as ``160 pairs in 80 groups``; no groups where each pair is one."""
        pairs = f"{len(self):,} pair{'s' * (len(self) != 1)}"
        return pairs if self.are_pairs else f"{pairs} in {self.n:,} group{'s' * (self.n != 1)}"


def grouped(parts: Sequence[PromptPairs], names: Sequence[str] | None = None) -> PairGroups:
    """The groups of pairs.

    Args:
        parts: the pairs, which are in the order of their ``index``.
        names: the group of each, where a file gives it.
    """
    by_index = dict(row for pairs in parts for row in _rows(pairs))
    rows = [by_index[index] for index in sorted(by_index)]
    linked, distinct = _linked([row[:2] for row in rows]), _numbered(rows)
    if names is None:
        return PairGroups(_numbered(linked), distinct)
    together: dict[Hashable, set[str]] = {}
    for link, name in zip(linked, names, strict=True):
        together.setdefault(link, set()).add(name)
    divided = {name for named in together.values() if len(named) > 1 for name in named}
    return PairGroups(_numbered(names), distinct, True, tuple(sorted(divided)))


def _rows(pairs: PromptPairs) -> Iterator[tuple[int, tuple[Hashable, ...]]]:
    """The number of each pair, with its inputs and its answers."""
    inputs = (map(tuple, side.tolist()) for side in (pairs.clean, pairs.corrupted))
    answers = (map(tuple, side.flatten(1).tolist()) for side in (pairs.right, pairs.wrong))
    yield from zip(pairs.index.tolist(), zip(*inputs, *answers, strict=True), strict=True)


def _linked(ends: Sequence[tuple[Hashable, ...]]) -> list[Hashable]:
    """For each couple of things one of all those that it is linked with, the same for all."""
    above: dict[Hashable, Hashable] = {}

    def top(thing: Hashable) -> Hashable:
        while (higher := above.setdefault(thing, thing)) != thing:
            above[thing] = above[higher]
            thing = higher
        return thing

    for clean, corrupted in ends:
        above[top(corrupted)] = top(clean)
    return [top(clean) for clean, _ in ends]


def _numbered(things: Iterable[Hashable]) -> Int[Tensor, " thing"]:
    """The number of each thing among those that differ, in the order in which they come first."""
    seen: dict[Hashable, int] = {}
    found = [seen.setdefault(thing, len(seen)) for thing in things]
    return torch.tensor(found, dtype=torch.int64)


def _highest(numbers: Int[Tensor, " thing"]) -> int:
    return int(numbers.max()) + 1 if len(numbers) else 0
