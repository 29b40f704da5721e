"""Patching as a whole: every pair with every site, path and edge."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.interventions.batches import Budget, Judged
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.material import Material
from mitool.analysis.interventions.sources import Sources
from mitool.analysis.metrics import ACCURACY
from mitool.analysis.patching.paths import Path
from mitool.analysis.patching.plan import Plan
from mitool.analysis.patching.sweep import (
    Swept,
    patch_together,
    sweep_paths,
    sweep_sites,
)


@dataclass
class Measured:
    """The metric of every pair, filled in as pairs are done; in the order of their ``index``.

    Attributes:
        clean: of the clean run.
        corrupted: of the corrupted run.
        right: share of the clean run's answers that are right; NaN where none are known.
        values: by what was patched: families by their names, ``path``, ``edge``, and
            ``all_edges`` with one row.
        changed: whether the activation changed at all, likewise.
    """

    clean: Float[Tensor, " pair"]
    corrupted: Float[Tensor, " pair"]
    right: Float[Tensor, " pair"]
    values: dict[str, Float[Tensor, "variant pair"]] = field(default_factory=dict)
    changed: dict[str, Bool[Tensor, "variant pair"]] = field(default_factory=dict)

    def put(self, name: str, index: Tensor, swept: Swept) -> None:
        n_variants, n_pairs = len(swept.values), len(self.clean)
        if name not in self.values:
            self.values[name] = torch.empty(n_variants, n_pairs, dtype=torch.float64)
            self.changed[name] = torch.empty(n_variants, n_pairs, dtype=torch.bool)
        self.values[name][:, index], self.changed[name][:, index] = swept.values, swept.changed


def measure(
    material: Material,
    plan: Plan,
    budget: Budget,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Measured:
    """Patch everything on every pair.

    Args:
        progress: told of the runs done, one for each variant of each pair, and of all.

    Raises:
        InputError: the model is not reproduced by its parts, or its outputs are not finite.
    """
    n, done = material.n_pairs, 0
    measured = Measured(*torch.empty(3, n, dtype=torch.float64))
    sources = Sources(material, plan.ablation, budget)
    for group, pairs in material.chunks(budget):
        clean, corrupted = material.runs(pairs, edges=bool(plan.edges))
        judged = Judged(pairs.to(material.decoder.device), material.metric, clean.logits)
        measured.clean[pairs.index] = judged(clean.logits[None])[0]
        measured.corrupted[pairs.index] = judged(corrupted.logits[None])[0]
        measured.right[pairs.index] = replace(judged, metric=ACCURACY)(clean.logits[None])[0]
        base, other = (corrupted, clean) if plan.direction == "denoise" else (clean, corrupted)

        def count(n_variants: int, n_pairs: int = len(pairs)) -> None:
            nonlocal done
            done += n_variants * n_pairs
            progress(done, n * plan.n_variants)

        source = sources.of(other, group)
        chunk = Chunk(material.decoder, base, source, judged, group, budget, count)
        _patch(chunk, plan, pairs.index, measured)
    return measured


def _patch(chunk: Chunk, plan: Plan, index: Tensor, measured: Measured) -> None:
    if plan.families:
        sites = [site for family in plan.families for site in family.sites()]
        swept, at = sweep_sites(chunk, sites), 0
        for family in plan.families:
            own = slice(at, at := at + math.prod(family.shape))
            measured.put(family.name, index, Swept(swept.values[own], swept.changed[own]))
    if plan.paths:
        measured.put("path", index, sweep_paths(chunk, plan.paths, plan.between))
    if plan.edges:
        alone = [Path(edge.source, edge.target, edge.letters) for edge in plan.edges]
        measured.put("edge", index, sweep_paths(chunk, alone, "frozen"))
        measured.put("all_edges", index, patch_together(chunk, plan.edges))
