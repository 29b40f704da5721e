"""Attribution: what patching each unit would do to the metric, by one product with gradients.

A score is the decrease of the metric, to first order, were the unit to carry what it carries in the
source instead: the gradient at the reader times what the writer writes less (Syed et al. 2023,
arXiv 2310.10348). A node's score is the sum of those of its edges, a neuron's that of its share.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.bench import Bench
from mitool.analysis.circuits.gradients import Start, reader_gradients
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.chunk import Chunk
from mitool.core.device import to_float64

Gradients = Iterator[tuple[slice, Float[Tensor, "reader pair pos d_model"]]]
"""Gradients at every reader, and the writers whose edges they are to score."""

EVERY = slice(None)


def attributed(
    bench: Bench,
    units: Units,
    gradients_of: Callable[[Chunk], Gradients],
    done: Callable[[int], None],
) -> Float[Tensor, " unit"]:
    """Scores by gradients, means over pairs.

    Args:
        done: told of pairs that are done.
    """
    total = torch.zeros(units.exists.shape, dtype=torch.float64)
    writers_axis = 1 if units.level == "edge" else 0
    for chunk in bench.chunks():
        for writers, gradients in gradients_of(chunk):
            found = to_float64(contracted(units, chunk, gradients, writers)).to(total.device)
            total.narrow(writers_axis, *_span(writers, units)).add_(found)
        done(len(chunk.judged.pairs))
    return units.listed(total) / len(bench)


def contracted(
    units: Units,
    chunk: Chunk,
    gradients: Float[Tensor, "reader pair pos d_model"],
    writers: slice = EVERY,
) -> Float[Tensor, " *place"]:
    """The sum over pairs of the scores of some writers' units, placed as ``units.exists`` is."""
    losses = chunk.edge_runs.differences[writers]  # what comes in less what goes
    exists = -units.table.exists[:, writers].to(losses)
    if units.level == "neuron":
        behind = (exists.T @ gradients.flatten(1)).view_as(losses)
        return (behind * losses).sum(dim=(1, 2))
    if not units.columns:
        of_edges = (gradients.flatten(1) @ losses.flatten(1).T) * exists
        return of_edges.sum(dim=0) if units.level == "node" else of_edges[..., None]
    by_position = torch.einsum("rbtd,wbtd->rwt", gradients, losses) * exists[..., None]
    assert chunk.column_of is not None, "edges are told apart by columns on such a bench"
    found = by_position.new_zeros(*exists.shape, len(units.columns))
    return found.index_add_(2, chunk.column_of.to(found.device), by_position)


def gradients_at(
    chunk: Chunk, stream: Float[Tensor, "pair pos d_model"], start: Start | None = None
) -> Float[Tensor, "reader pair pos d_model"]:
    """The gradient of each pair's metric at every reader's input, for a stream there.

    Args:
        start: where the stream is; left out, before the first block.
    """
    tokens, judged = chunk.judged.of_answers or (None, chunk.judged)

    def judge(x: Float[Tensor, "pair answer d_model"]) -> Float[Tensor, " pair"]:
        logits = chunk.decoder.unembed(x, tokens)
        return judged.metric(logits[None], judged.pairs, judged.clean)[0]

    return reader_gradients(chunk.decoder, chunk.base.read, stream, chunk.positions, judge, start)


def _span(writers: slice, units: Units) -> tuple[int, int]:
    start, stop, _ = writers.indices(len(units.table.writers))
    return start, stop - start
