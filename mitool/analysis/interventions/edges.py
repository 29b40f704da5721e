"""Edges patched together: every reader with an input of its own, many variants side by side."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mitool.analysis.interventions.graph import Edge, Graph, Node
from mitool.analysis.interventions.run import Run
from mitool.analysis.interventions.table import EdgeTable, table_of
from mitool.models.decoder import Decoder, Letter, Projection


def written(decoder: Decoder, run: Run, node: Node) -> Float[Tensor, "pair pos d_model"]:
    """What a node writes in a run; of the bias of attention, which is no head's, nothing."""
    if node.kind == "input":
        return run.read.resid_pre
    layer = run.layers[node.layer]
    if node.kind == "m":
        return layer.mlp_out
    return layer.z_written[:, node.head] @ decoder.layers[node.layer].W_write[node.head]


@dataclass(frozen=True)
class Kept:
    """Of each variant, what carries what its writer writes there.

    Attributes:
        edges: the others carry what their writers write in the source; what is no edge is not
            looked at. One column stands for all positions.
        neurons: likewise, of every writer the dimensions of what it writes; left out, all.
    """

    edges: Bool[Tensor, "variant reader writer column"]
    neurons: Bool[Tensor, "variant writer d_model"] | None = None

    def __len__(self) -> int:
        return len(self.edges)

    def is_whole(self, table: EdgeTable) -> Bool[Tensor, " variant"]:
        """Which variants are the base run: all is kept."""
        every = (self.edges | ~table.exists[..., None]).flatten(1).all(dim=1)
        return every if self.neurons is None else every & self.neurons.flatten(1).all(dim=1)

    @classmethod
    def joined(cls, parts: Sequence["Kept"]) -> "Kept":
        """The variants of several, one after another."""
        n_columns = max(part.edges.shape[-1] for part in parts)
        edges = [part.edges.expand(-1, -1, -1, n_columns) for part in parts]
        some = [part.neurons for part in parts if part.neurons is not None]
        if not some:
            return cls(torch.cat(edges))
        every = torch.ones_like(some[0][:1])
        neurons = [
            every.expand(len(part), -1, -1) if part.neurons is None else part.neurons
            for part in parts
        ]
        return cls(torch.cat(edges), torch.cat(neurons))

    def __getitem__(self, chosen: slice | Tensor) -> "Kept":
        neurons = None if self.neurons is None else self.neurons[chosen]
        return Kept(self.edges[chosen], neurons)


class EdgeRuns:
    """Runs in which some edges carry what their writers write in another run.

    All else is computed anew: a reader sees, of a writer whose edge to it is kept, what that
    writer writes there.

    Args:
        base: of the inputs that are read.
        source: what edges that are not kept carry.
        positions: where logits are read.
        column_of: which column each position is of, for edges that are kept in some columns.
    """

    def __init__(
        self,
        decoder: Decoder,
        base: Run,
        source: Run,
        positions: tuple[int, ...],
        column_of: Int[Tensor, " pos"] | None = None,
    ) -> None:
        decoder.require_sum("patching along edges")
        self.decoder, self.base, self.source, self.positions = decoder, base, source, positions
        self.column_of = torch.zeros(base.n_positions).long() if column_of is None else column_of
        self.table = table_of(Graph.of(decoder))

    @cached_property
    def source_written(self) -> Float[Tensor, "writer pair pos d_model"]:
        return self._written(self.source)

    @cached_property
    def differences(self) -> Float[Tensor, "writer pair pos d_model"]:
        """What each writer writes in the source less what it writes in the base run."""
        return self.source_written - self._written(self.base)

    @torch.no_grad()
    def logits(self, kept: Kept) -> Float[Tensor, "variant pair answer d_vocab_out"]:
        """The logits of each variant, run from the first layer that a patched edge reaches."""
        return _Variants(self, kept).logits()

    def patched(self, edges: Collection[Edge]) -> Float[Tensor, "1 pair answer d_vocab_out"]:
        """The logits of one variant: these edges carry what their writers write in the source."""
        return self.logits(Kept(~self.table.mask(edges)[None, ..., None]))

    def leaving(self, writer: Node) -> Float[Tensor, "1 pair answer d_vocab_out"]:
        """The logits of the variant in which all edges that leave a writer carry what it writes in
        the source.
        """
        is_own = torch.tensor([each == writer for each in self.table.writers])
        return self.logits(Kept((self.table.exists & ~is_own)[None, ..., None]))

    def size_of_one(self) -> int:
        """About how many bytes a variant takes."""
        decoder = self.decoder
        per_token = (len(self.table.writers) + 6 * decoder.n_heads) * decoder.d_model
        per_token += 3 * decoder.n_heads * self.base.n_positions + 4 * decoder.d_mlp
        per_pair = self.base.n_positions * per_token + 4 * len(self.positions) * decoder.d_vocab_out
        return decoder.itemsize * len(self.base.logits) * per_pair

    def _written(self, run: Run) -> Float[Tensor, "writer pair pos d_model"]:
        return torch.stack([written(self.decoder, run, node) for node in self.table.writers])


class _Variants:
    """Variants under way: the stream as it is without a patched edge, and what patches add to it.

    Of writers before the first layer that is run, what they write in the source less what they
    write here is the same for all variants (``shared``); of those behind it, each variant has its
    own (``own``, in the order of ``written``). A writer that no variant reads is not computed:
    every reader sees what it writes in the source.
    """

    def __init__(self, runs: EdgeRuns, kept: Kept) -> None:
        self.runs, self.decoder, self.table = runs, runs.decoder, runs.table
        device = runs.decoder.device
        exists = runs.table.exists.to(device)[..., None]
        edges = kept.edges.to(device) & exists
        self.n_variants, self.patched = len(kept), exists & ~edges
        self.used = self._read_by_any(edges.any(dim=-1)).tolist()
        self.neurons = None if kept.neurons is None else kept.neurons.to(device)
        self.columns = None if edges.shape[-1] == 1 else runs.column_of.to(device)
        self.places = slice(0, runs.base.n_positions)
        self.start = self._first_reached()
        self.stream = runs.base.resid_pre(self.start)[None]
        writers = self.table.writers
        self.before = [i for i, node in enumerate(writers) if node.is_before(self.start)]
        if self.neurons is not None:
            self.before = []
        self.shared = runs.differences[self.before]
        n_own = sum(self.used) - sum(self.used[i] for i in self.before)
        self.written: list[int] = []
        self.own = self.shared.new_empty(self.n_variants, n_own, *self.shared.shape[1:])
        if self.neurons is not None:
            self._write_input()

    def logits(self) -> Float[Tensor, "variant pair answer d_vocab_out"]:
        for layer in range(self.start, self.decoder.n_layers):
            self._run_block(layer)
        final = self._inputs([self.table.row(Node("logits"))])[:, 0]
        answers = [place - self.places.start for place in self.runs.positions]
        logits = self.decoder.unembed(final[:, :, answers])
        return logits.expand(self.n_variants, *logits.shape[1:])

    def _read_by_any(self, edges: Bool[Tensor, "variant reader writer"]) -> Bool[Tensor, " writer"]:
        """The writers from which kept edges lead to the logits in some variant."""
        is_node = self.table.is_node.to(edges.device)
        rows = ~is_node.any(dim=1).expand(len(edges), -1)
        coupled = self._coupled_heads()
        while True:
            nodes = (edges & rows[..., None]).any(dim=1)
            nodes[:, coupled] = True
            found = rows | (nodes.float() @ is_node.T.float() > 0)
            if torch.equal(found, rows):
                return nodes.any(dim=0)
            rows = found

    def _first_reached(self) -> int:
        """The first layer with a reader of a patched edge."""
        if self.neurons is not None:
            return 0
        reached = self.patched.any(dim=3).any(dim=2).any(dim=0).tolist()
        n_layers = self.decoder.n_layers
        targets = (target for target, _ in self.table.readers)
        layers = [n_layers if node.kind == "logits" else node.layer for node in targets]
        return min(
            (layers[row] for row, is_reached in enumerate(reached) if is_reached), default=n_layers
        )

    def _coupled_heads(self) -> list[int]:
        """The heads that are run whether they are read or not: the others of their layer need
        them.
        """
        decoder, heads = self.decoder, range(self.decoder.n_heads)
        layers = [n for n, layer in enumerate(decoder.layers) if layer.couples_heads]
        return [self.table.column(layer, head) for layer in layers for head in heads]

    def _write_input(self) -> None:
        if self.used[0]:
            self._wrote([0], self.runs.base.read.resid_pre[None, None])
        else:
            self.stream = self._source([0])

    def _run_block(self, layer: int) -> None:
        heads = [h for h in range(self.decoder.n_heads) if self.used[self.table.column(layer, h)]]
        k, v = self._read(layer, heads, "k"), self._read(layer, heads, "v")
        if layer + 1 == self.decoder.n_layers:
            self._leave_answers()
        beside = self._mlp_inputs(layer) if self.decoder.is_parallel else None
        self._write_heads(layer, heads, self._read(layer, heads, "q"), k, v)
        if self.decoder.has_mlp:
            self._write_mlp(layer, beside)

    def _read(
        self, layer: int, heads: list[int], letter: Letter
    ) -> Float[Tensor, "variant pair head pos d_head"]:
        own = self.decoder.layers[layer]
        rows = [self.table.row(Node("a", layer, head), letter) for head in heads]
        projection: Projection = getattr(own, letter)
        x = projection.of_heads(heads, own.ln1(self._inputs(rows)), self.decoder.n_heads)
        read, start = self.runs.base.read, self.places.start
        return self.decoder.to_attention(layer, letter, x.transpose(1, 2), read, start, heads)

    def _write_heads(self, layer: int, heads: list[int], q: Tensor, k: Tensor, v: Tensor) -> None:
        own, read = self.decoder.layers[layer], self.runs.base.read
        z = self.decoder.pattern(layer, q, k, read, self.places, heads) @ v
        each = own.scaled(z).transpose(1, 2) @ own.W_write[heads][:, None]
        besides = own.written_besides(z)
        unused = [h for h in range(self.decoder.n_heads) if h not in heads]
        of_source = self._source([self.table.column(layer, head) for head in unused]).sum(dim=0)
        self.stream = self.stream + each.sum(dim=1) + besides + of_source
        self._wrote([self.table.column(layer, head) for head in heads], each)

    def _mlp_inputs(self, layer: int) -> Float[Tensor, "variant pair pos d_model"]:
        return self._inputs([self.table.row(Node("m", layer))])[:, 0]

    def _write_mlp(self, layer: int, inputs: Tensor | None) -> None:
        """Add what the MLP writes for its inputs; left out, for the stream that it finds."""
        column = self.table.column(layer)
        if not self.used[column]:
            self.stream = self.stream + self._source([column])[0]
            return
        out = self.decoder.layers[layer].mlp_out(
            self._mlp_inputs(layer) if inputs is None else inputs
        )
        self.stream = self.stream + out
        self._wrote([column], out[:, None])

    def _inputs(self, rows: Sequence[int]) -> Float[Tensor, "variant reader pair pos d_model"]:
        """The stream as each of the readers sees it."""
        shares = self.patched[:, list(rows)].to(self.stream.dtype)
        own = self.own[:, : len(self.written)]
        if self.columns is not None:
            shares = shares[..., self.columns[self.places]]
            of_shared = torch.einsum("vrwt,wbtd->vrbtd", shares[:, :, self.before], self.shared)
            of_own = torch.einsum("vrwt,vwbtd->vrbtd", shares[:, :, self.written], own)
            return self.stream[:, None] + of_shared + of_own
        shares = shares[..., 0]
        size, width = shares.shape[:2], self.stream[0].numel()
        of_shared = shares[:, :, self.before].flatten(0, 1) @ self.shared.flatten(1)
        found = of_shared.view(*size, width).add_(self.stream.flatten(1)[:, None])
        if self.written:
            found.baddbmm_(shares[:, :, self.written], own.flatten(2))
        return found.view(*size, *self.stream.shape[1:])

    def _source(self, writers: list[int]) -> Float[Tensor, "writer pair pos d_model"]:
        return self.runs.source_written[writers][:, :, self.places]

    def _wrote(
        self, writers: list[int], out: Float[Tensor, "variant writer pair pos d_model"]
    ) -> None:
        """Have readers that come later see what is patched of these writers; those of their
        neurons that are patched for all readers are so in the stream itself.
        """
        first, last = len(self.written), len(self.written) + len(writers)
        self.written += writers
        differences = self._source(writers) - out
        if self.neurons is not None:
            patched = ~self.neurons[:, writers][:, :, None, None]
            self.stream = self.stream + (differences * patched).sum(dim=1)
            differences = differences * ~patched
        self.own[:, first:last] = differences

    def _leave_answers(self) -> None:
        """Go on from the first answer to the last one: behind the last keys and values nothing
        else is read.
        """
        answers = self.runs.positions
        self.places = slice(min(answers), max(answers) + 1)
        self.stream = self.stream[:, :, self.places]
        self.shared = self.shared[:, :, self.places]
        self.own = self.own[:, :, :, self.places].contiguous()
