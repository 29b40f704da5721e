"""Many edges patched at once: every reader with an input of its own."""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.decoder import Decoder, Letter
from mitool.analysis.interventions.graph import Edge, Node
from mitool.analysis.interventions.layer import Projection
from mitool.analysis.interventions.run import Run


def written(decoder: Decoder, run: Run, node: Node) -> Float[Tensor, "pair pos d_model"]:
    """What a node writes in a run; of the bias of attention, which is no head's, nothing."""
    if node.kind == "input":
        return run.read.resid_pre
    layer = run.layers[node.layer]
    if node.kind == "m":
        return layer.mlp_out
    return layer.z[:, node.head] @ decoder.layers[node.layer].W_O[node.head]


@torch.no_grad()
def logits_with_edges(
    decoder: Decoder,
    base: Run,
    source: Run,
    edges: Collection[Edge],
    positions: tuple[int, ...],
) -> Float[Tensor, "pair answer d_vocab_out"]:
    """Logits of ``base`` with these edges carrying what their writers write in ``source``.

    All else is computed anew: a reader sees, of a writer whose edge to it is not patched, what that
    writer writes here.
    """
    return _EdgeRun(decoder, base, source, edges).logits(positions)


class _EdgeRun:
    """A run under way: what has been written, and how that in the source run differs from it."""

    def __init__(self, decoder: Decoder, base: Run, source: Run, edges: Collection[Edge]) -> None:
        self.decoder, self.read, self.source = decoder, base.read, source
        self.edges = frozenset(edges)
        self.patched = {edge.source for edge in edges}
        self.stream = torch.zeros_like(base.read.resid_pre)
        self.writers: list[Node] = []
        self.differences = base.read.resid_pre.new_empty(0, *base.read.resid_pre.shape)
        self._write([Node("input")], base.read.resid_pre, base.read.resid_pre[None])

    def logits(self, positions: tuple[int, ...]) -> Float[Tensor, "pair answer d_vocab_out"]:
        for layer in range(self.decoder.n_layers):
            own, mlp = self.decoder.layers[layer], Node("m", layer)
            beside = self._inputs([(mlp, None)])[0] if self.decoder.is_parallel else None
            self._attend(layer)
            if own.mlp is not None:
                out = own.mlp_out(self._inputs([(mlp, None)])[0] if beside is None else beside)
                self._write([mlp], out, out[None])
        final = self._inputs([(Node("logits"), None)])[0]
        return self.decoder.unembed(final[:, list(positions)])

    def _attend(self, layer: int) -> None:
        own, decoder = self.decoder.layers[layer], self.decoder
        heads = [Node("a", layer, head) for head in range(decoder.n_heads)]

        def read(letter: Letter, projection: Projection) -> Tensor:
            inputs = self._inputs([(head, letter) for head in heads])
            return projection.split(own.ln1(inputs.transpose(0, 1)))

        q = decoder.meet(layer, read("q", own.q), self.read, "q")
        k = decoder.meet(layer, read("k", own.k), self.read, "k")
        everywhere = torch.arange(q.shape[-2], device=q.device)
        z = decoder.pattern(layer, q, k, everywhere) @ read("v", own.v)
        self._write(heads, own.write(z), (z @ own.W_O).transpose(0, 1))

    def _inputs(
        self, readers: Sequence[tuple[Node, Letter | None]]
    ) -> Float[Tensor, "reader pair pos d_model"]:
        """The stream as each of the readers sees it."""
        patched = [
            [Edge(writer, target, letter) in self.edges for writer in self.writers]
            for target, letter in readers
        ]
        stream = self.stream.expand(len(readers), *self.stream.shape)
        mask = torch.tensor(patched).to(stream).view(len(readers), len(self.writers))
        if not mask.any():
            return stream
        return stream + (mask @ self.differences.flatten(1)).view(stream.shape)

    def _write(
        self,
        nodes: Sequence[Node],
        total: Float[Tensor, "pair pos d_model"],
        each: Float[Tensor, "node pair pos d_model"],
    ) -> None:
        """Add what nodes write to the stream.

        Args:
            total: with what is no node's, such as the bias of attention.
        """
        self.stream = self.stream + total
        for node, out in zip(nodes, each, strict=True):
            if node in self.patched:
                difference = written(self.decoder, self.source, node) - out
                self.writers.append(node)
                self.differences = torch.cat([self.differences, difference[None]])
