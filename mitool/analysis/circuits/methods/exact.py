"""Exact patching: each unit alone carries what it carries in the source.

The change of the metric is measured, with everything behind the reader computed anew. Many
units run side by side, from the layer of their reader on.
"""

from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.circuits.methods.nodes import NodeReplacement, Written
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.batches import judge_variants
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.patching.paths import Path
from mitool.analysis.patching.sweep import sweep_paths


def exact(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores of all units."""
    return exact_of(scoring, torch.arange(len(scoring.units)))


def exact_of(scoring: Scoring, chosen: Int[Tensor, " chosen"]) -> Float[Tensor, " chosen"]:
    """Scores of some units, by their numbers."""
    total = torch.zeros(len(chosen), dtype=torch.float64)
    for chunk in scoring.bench.chunks():
        of_edges = scoring.units.level == "edge"
        chunk = replace(chunk, done=partial(_tell, scoring, len(chunk.judged.pairs)))
        sweep = _edges if of_edges else _nodes
        patched = sweep(chunk, scoring.units, chosen)
        total += (chunk.unpatched - patched).sum(dim=1)
    return scoring.sign * total / len(scoring.bench)


def _tell(scoring: Scoring, n_pairs: int, n_units: int) -> None:
    scoring.done(n_units * n_pairs)


def _edges(chunk: Chunk, units: Units, chosen: Tensor) -> Float[Tensor, "chosen pair"]:
    edges, spans = units.table.edges, [column.spans[chunk.group] for column in units.columns]
    paths = []
    for unit in chosen.tolist():
        edge = edges[unit // max(1, len(spans))]
        span = spans[unit % len(spans)] if spans else None
        paths.append(Path(edge.source, edge.target, edge.letters, span))
    return sweep_paths(chunk, paths, "frozen").values


def _nodes(chunk: Chunk, units: Units, chosen: Tensor) -> Float[Tensor, "chosen pair"]:
    replacement = NodeReplacement(chunk)
    return judge_variants(
        chunk.restart,
        chunk.judged,
        [_written(units, unit) for unit in chosen.tolist()],
        kind=replacement.kind,
        start=replacement.start,
        entry=replacement.entry,
        budget=chunk.budget,
        done=chunk.done,
    )


def _written(units: Units, unit: int) -> Written:
    """What a unit is of what nodes write."""
    if units.level == "node":
        return Written(unit, None)
    return Written(*divmod(unit, units.d_model))
