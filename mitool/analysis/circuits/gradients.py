"""Gradients of a metric at the inputs of every reader, each head's q, k and v apart.

No gradient of a weight is taken, and no head has a copy of the residual stream: the gradient at a
head's input is that at its queries, keys or values, taken back through W and the norm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.patterns import LETTERS
from mitool.analysis.interventions.restart import Stage
from mitool.models.decoder import Decoder, Projection, Read
from mitool.models.gradients import with_gradient

Judge = Callable[[Float[Tensor, "pair answer d_model"]], Float[Tensor, " pair"]]
"""A metric as a function of the last stream where answers are read."""


@dataclass(frozen=True)
class Start:
    """Where a run begins: before a layer, or behind its attention."""

    layer: int = 0
    stage: Stage = "pre"


@dataclass(frozen=True)
class _Traced:
    """A run's activations whose gradients are asked for.

    Attributes:
        streams: what the heads of each layer read.
        projected: for each layer the queries, keys and values of every head.
        branches: what each MLP reads, and then the unembedding, each apart from the stream.
    """

    streams: list[Float[Tensor, "pair pos d_model"]]
    projected: list[list[Float[Tensor, "pair head pos d_head"]]]
    branches: list[Float[Tensor, "pair pos d_model"]]


def reader_gradients(
    decoder: Decoder,
    read: Read,
    stream: Float[Tensor, "pair pos d_model"],
    positions: tuple[int, ...],
    judge: Judge,
    start: Start | None = None,
) -> Float[Tensor, "reader pair pos d_model"]:
    """The gradient of each pair's metric at the input of each reader.

    Rows are those of ``EdgeTable.readers``. What a reader's change would change behind it is in the
    gradient; the stream that passes it by is not.

    Args:
        positions: where answers are read.
        start: where the stream is; left out, before the first block. Of readers before it the
            gradient is 0.
    """
    start = start or Start()
    with torch.enable_grad():
        final, traced = _traced_run(decoder, read, stream.detach().requires_grad_(), start)
        wanted = [x for layer in traced.projected for x in layer] + traced.branches
        metric = judge(final[:, list(positions)]).sum()
        found = torch.autograd.grad(metric, wanted, materialize_grads=True)
    n = len(traced.projected)
    of_heads, of_branches = found[: 3 * n], list(found[3 * n :])
    n_rows = decoder.n_layers * (3 * decoder.n_heads + decoder.has_mlp) + 1
    n_behind = n * 3 * decoder.n_heads + len(of_branches)
    rows = [stream.new_zeros(n_rows - n_behind, *stream.shape)]
    if len(of_branches) > n + 1:  # it begins between a layer's heads and its MLP
        rows.append(of_branches.pop(0)[None])
    for index, own in enumerate(traced.streams):
        layer = decoder.n_layers - n + index
        rows.append(_back_to_stream(decoder, layer, own, of_heads[3 * index : 3 * index + 3]))
        if decoder.has_mlp:
            rows.append(of_branches.pop(0)[None])
    return torch.cat([*rows, of_branches.pop(0)[None]])


def _traced_run(
    decoder: Decoder,
    read: Read,
    x: Float[Tensor, "pair pos d_model"],
    start: Start,
) -> tuple[Float[Tensor, "pair pos d_model"], _Traced]:
    traced = _Traced([], [], [])
    everywhere, first = slice(0, x.shape[1]), start.layer
    if start.stage == "mid":
        first += 1
        if decoder.has_mlp:
            traced.branches.append(x.view_as(x))  # apart from the stream, which goes on
            x = x + decoder.layers[start.layer].mlp_out(traced.branches[-1])
    for layer, own in list(enumerate(decoder.layers))[first:]:
        normed = own.ln1(x)
        q, k, v = own.q(normed), decoder.shared(own.k(normed)), decoder.shared(own.v(normed))
        traced.streams.append(x.detach())
        traced.projected.append([q, k, v])
        rot_q, rot_k, used_v = (
            decoder.to_attention(layer, letter, projected, read)
            for letter, projected in zip(LETTERS, (q, k, v), strict=True)
        )
        attn_out = own.write(decoder.pattern(layer, rot_q, rot_k, read, everywhere) @ used_v)
        branch = x.view_as(x) if decoder.is_parallel else x + attn_out
        x = x + attn_out
        if own.mlp is not None:
            traced.branches.append(branch)
            x = x + own.mlp_out(branch)
    traced.branches.append(x)
    return x, traced


def _back_to_stream(
    decoder: Decoder,
    layer: int,
    stream: Float[Tensor, "pair pos d_model"],
    gradients: Sequence[Float[Tensor, "pair head pos d_head"]],
) -> Float[Tensor, "reader pair pos d_model"]:
    """Gradients at the queries, keys and values of heads as gradients at what each head reads."""
    own = decoder.layers[layer]
    maps = (own.q, own.k, own.v)
    normed = [_through(p, g, decoder.n_heads) for p, g in zip(maps, gradients, strict=True)]
    behind = torch.cat(normed)
    with torch.enable_grad():
        inputs = stream.expand(len(behind), *stream.shape).detach().requires_grad_()
        (found,) = torch.autograd.grad(with_gradient(own.ln1(inputs), behind), inputs)
    return found


def _through(
    projection: Projection, gradient: Float[Tensor, "pair head pos d_head"], n_heads: int
) -> Float[Tensor, "head pair pos d_model"]:
    weight = projection.by_head.repeat_interleave(n_heads // projection.n_heads, dim=0)
    return torch.einsum("bhtk,hdk->hbtd", gradient, weight)
