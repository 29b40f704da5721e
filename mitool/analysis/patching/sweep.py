"""All sites, paths or edges on some pairs, each patched alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.interventions.batches import judge_variants
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.graph import Edge
from mitool.analysis.interventions.replace import Change, Replacement
from mitool.analysis.patching.paths import Path, PathReplacement
from mitool.analysis.patching.sites import Site
from mitool.core.device import HOST
from mitool.settings import Between


@dataclass(frozen=True)
class Swept:
    """What became of variants.

    Attributes:
        values: the metric with each patched alone.
        changed: whether that changed an activation at all.
    """

    values: Float[Tensor, "variant pair"]
    changed: Bool[Tensor, "variant pair"]


def sweep_sites(chunk: Chunk, sites: Sequence[Site]) -> Swept:
    """Patch each site alone.

    A site is run where its activation changes: what is the same in both runs needs none.
    """
    replacement = Replacement(chunk.decoder, chunk.base, chunk.source)
    changes = [_change(site, chunk.group, chunk.base.n_positions) for site in sites]
    whole = {change: replacement.differs(change) for change in dict.fromkeys(changes)}
    narrow = {change: _narrowed(change, differs) for change, differs in whole.items()}
    variants = list(dict.fromkeys(change for change in narrow.values() if change is not None))
    chunk.done(len(sites) - len(variants))
    values = judge_variants(
        chunk.restart,
        chunk.judged,
        variants,
        kind=lambda change: (change.activation, change.layer),
        start=lambda change: change.start,
        entry=replacement.entry,
        budget=chunk.budget,
        done=chunk.done,
    )
    known = dict(zip(variants, values, strict=True))
    found = [chunk.unpatched if (own := narrow[c]) is None else known[own] for c in changes]
    changed = [whole[change].any(dim=1).to(HOST) for change in changes]
    return Swept(torch.stack(found), torch.stack(changed))


def sweep_paths(chunk: Chunk, paths: Sequence[Path], between: Between) -> Swept:
    """Patch each path alone."""
    replacement = PathReplacement(chunk.restart, chunk.source, between)
    first = {path.origin: path for path in paths}
    differ = {origin: replacement.differs(path).to(HOST) for origin, path in first.items()}
    changed = torch.stack([differ[path.origin] for path in paths])
    variants = [path for path, differs in zip(paths, changed, strict=True) if differs.any()]
    chunk.done(len(paths) - len(variants))
    values = judge_variants(
        chunk.restart,
        chunk.judged,
        variants,
        kind=replacement.kind,
        start=replacement.start,
        entry=replacement.entry,
        budget=chunk.budget,
        done=chunk.done,
    )
    known = dict(zip(variants, values, strict=True))
    unpatched = chunk.unpatched
    return Swept(torch.stack([known.get(path, unpatched) for path in paths]), changed)


def patch_together(chunk: Chunk, edges: Sequence[Edge]) -> Swept:
    """Patch all edges at once."""
    values = chunk.judged(chunk.edge_runs.patched(edges))
    chunk.done(1)
    return Swept(values, torch.ones_like(values, dtype=torch.bool))


def _change(site: Site, group: int, n_positions: int) -> Change:
    """What patching a site of a group's texts is; the stream before a block is that behind the one
    before it.
    """
    start, stop = 0, n_positions
    if site.column is not None:
        start, stop = site.family.columns[site.column].spans[group]
    change = Change(site.family.activation, site.layer, site.head, start, stop)
    if change.activation == "resid_pre" and change.layer:
        return replace(change, activation="resid_post", layer=change.layer - 1)
    return change


def _narrowed(change: Change, differs: Bool[Tensor, "pair changed"]) -> Change | None:
    """The change without the positions at its ends that are the same in every pair."""
    places = differs.any(dim=0).nonzero()[:, 0]
    if not len(places):
        return None
    start = change.start
    return replace(change, start=start + int(places[0]), stop=start + int(places[-1]) + 1)
