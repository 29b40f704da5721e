"""Edge attribution patching with integrated gradients, over what each layer writes.

Hanna et al. 2024, arXiv 2403.17806 (EAP-IG activations): the heads of a layer, or its MLP, go from
what they write in the source to what they write in the clean run while all before them stays clean.
"""

from collections.abc import Iterator
from functools import partial

from jaxtyping import Float
from torch import Tensor

from mitool.analysis.circuits.attribution import Gradients, attributed, gradients_at
from mitool.analysis.circuits.gradients import Start
from mitool.analysis.circuits.methods.scoring import Scoring
from mitool.analysis.interventions.chunk import Chunk
from mitool.analysis.interventions.graph import Node


def eap_ig_activations(scoring: Scoring) -> Float[Tensor, " unit"]:
    """Scores from the mean of the gradients at ``ig_steps`` points of each layer's writers."""
    gradients_of = partial(_gradients, n_steps=scoring.ig_steps)
    return scoring.sign * attributed(scoring.bench, scoring.units, gradients_of, scoring.done)


def _gradients(chunk: Chunk, n_steps: int) -> Gradients:
    for writers, start, stream in _layers(chunk):
        change = chunk.edge_runs.differences[writers].sum(dim=0)
        total = gradients_at(chunk, stream + change, start)
        for step in range(1, n_steps):
            total += gradients_at(chunk, stream + (1 - step / n_steps) * change, start)
        yield writers, total.div_(n_steps)


def _layers(chunk: Chunk) -> Iterator[tuple[slice, Start, Float[Tensor, "pair pos d_model"]]]:
    """The writers of the same place, where that is, and the clean stream behind them."""
    decoder, base, table = chunk.decoder, chunk.base, chunk.edge_runs.table
    yield slice(0, 1), Start(), base.read.resid_pre
    for layer in range(decoder.n_layers):
        first, behind = table.column(layer, 0), Start(layer + 1)
        heads, stream = slice(first, first + decoder.n_heads), base.resid_pre(layer + 1)
        if decoder.is_parallel:
            yield heads, behind, stream
        else:
            yield heads, Start(layer, "mid"), base.layers[layer].resid_mid
        if decoder.has_mlp:
            mlp = table.writers.index(Node("m", layer))
            yield slice(mlp, mlp + 1), behind, stream
