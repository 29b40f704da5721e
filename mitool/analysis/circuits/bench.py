"""Pairs on which circuits are found or tested, and what all outside of a circuit carries."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.analysis.interventions.ablate import columns_at
from mitool.analysis.interventions.batches import MIB, Budget, Judged
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.pair_groups import PairGroups
from mitool.analysis.interventions.sources import Sources
from mitool.analysis.interventions.table import EdgeTable, table_of
from mitool.core.device import generator
from mitool.settings import Ablation


@dataclass(frozen=True)
class Bench:
    """Pairs with the runs that interventions start from: clean ones, into which edges carry what
    their writers write in the corrupted run, or zeros, or means.

    Attributes:
        material: a model with all pairs.
        chosen: which of the pairs, by their numbers, are taken.
        by_position: edges are told apart by the columns of the material.
        averaged: the numbers of the pairs that means are taken over, where an ablation puts in
            such; None: all of the material.
    """

    material: Material
    chosen: Int[Tensor, " pair"]
    ablation: Ablation
    budget: Budget
    by_position: bool = False
    averaged: Int[Tensor, " averaged"] | None = None

    @cached_property
    def groups(self) -> PairGroups:
        """Which of the pairs have an input in common."""
        return self.material.pair_groups[self.chosen]

    @cached_property
    def table(self) -> EdgeTable:
        return table_of(Graph.of(self.material.decoder))

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.material, self.ablation, self.budget, self.averaged)

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def plan(self) -> str:
        """How the pairs fit into memory, for a reader."""
        decoder, budget = self.material.decoder, self.budget
        longest = max(pairs.clean.shape[1] for pairs in self.material.groups)
        each = budget.size_of_attribution(decoder, self.table, longest)
        at_once = budget.attributed_pairs(decoder, self.table, longest)
        room = "" if each <= budget.size else ", more than there is room for"
        return (
            f"{min(at_once, len(self))} of {len(self)} pairs at a time: {each / MIB:z.3g} MiB for "
            f"each ({len(self.table.writers)} writers and {len(self.table.readers)} readers at "
            f"{longest} positions x {decoder.d_model}) of {budget.size / MIB:z.0f} MiB{room}"
        )

    def under(self, ablation: Ablation) -> "Bench":
        """The same pairs under another ablation."""
        return replace(self, ablation=ablation)

    def chunks(self) -> Iterator[Chunk]:
        """The pairs, as many at a time as the budget has room for."""
        return iter(self._held) if self._fits else self._made()

    @cached_property
    def _held(self) -> list[Chunk]:
        return list(self._made())

    @cached_property
    def _fits(self) -> bool:
        """Whether there is room for all pairs at once."""
        decoder = self.material.decoder
        shares = [
            len(pairs.among(self.chosen))
            / self.budget.attributed_pairs(decoder, self.table, pairs.clean.shape[1])
            for pairs in self.material.groups
        ]
        return sum(shares) <= 1

    def _made(self) -> Iterator[Chunk]:
        material = self.material
        for group, pairs in enumerate(material.groups):
            own, n_positions = pairs.among(self.chosen), pairs.clean.shape[1]
            size = self.budget.attributed_pairs(material.decoder, self.table, n_positions)
            columns = columns_at(material.columns, group, n_positions) if self.by_position else None
            for start in range(0, len(own), size):
                part = own[start : start + size]
                clean, corrupted = material.runs(part, edges=True)
                judged = Judged(part.to(material.decoder.device), material.metric, clean.logits)
                source = self.sources.of(corrupted, group)
                yield Chunk(
                    material.decoder, clean, source, judged, group, self.budget, column_of=columns
                )

    def places(self, chunk: Chunk) -> Int[Tensor, " pair"]:
        """Where a chunk's pairs stand among those that are taken."""
        return torch.searchsorted(self.chosen, chunk.judged.pairs.index.to(self.chosen.device))


def divided(groups: PairGroups, holdout: float, seed: int) -> tuple[Tensor, Tensor]:
    """The numbers of pairs to find circuits on, and of those to test them on.

    Groups stay whole, so that no pair that is tested on shares an input with one that is found on.
    They are taken in random order, each where that brings the share nearer to what is asked for.

    Args:
        groups: of all pairs; at least two where some are held out.
        holdout: the share of pairs that is kept for testing alone; 0: both are all pairs.
    """
    n = len(groups)
    if not holdout:
        return torch.arange(n), torch.arange(n)
    wanted, sizes = max(1, round(holdout * n)), groups.of.bincount()
    order = torch.randperm(groups.n, generator=generator(seed, "holdout"))
    held, n_held = torch.zeros(groups.n, dtype=torch.bool), 0
    for group in order.tolist():
        more = n_held + int(sizes[group])
        if more < n and abs(more - wanted) < abs(n_held - wanted):
            held[group], n_held = True, more
    if not n_held:
        held[sizes.argmin()] = True
    is_tested = held[groups.of]
    return (~is_tested).nonzero()[:, 0], is_tested.nonzero()[:, 0]
