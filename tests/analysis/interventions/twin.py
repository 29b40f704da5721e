"""A slow twin of runs with patched edges, straight from the definition.

One head and one of its inputs at a time: each reader's stream is the sum of what every writer
before it writes, its own or the source's, as the edge between the two says. What writers and
readers are called is all that it shares with the fast way, and a model's weights, norms and MLPs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product

import torch
from mitool.analysis.interventions.decoder import Decoder
from torch import Tensor

from mitool.analysis.interventions.edges import Kept
from mitool.analysis.interventions.run import Run
from mitool.analysis.interventions.table import EdgeTable

IsKept = Callable[[str, str], Tensor]
"""Of a writer's and a reader's name at which positions [pos, 1] the edge is kept."""


def every(writer: str, reader: str) -> Tensor:
    return torch.ones(1, 1, dtype=torch.bool)


@dataclass
class Twin:
    """A model run with an input for each reader.

    Attributes:
        writing: added to what a writer writes, for gradients and points on a way.
        reading: added to what a reader reads, for gradients.
        written: by whom what is written in the last run.
    """

    decoder: Decoder
    base: Run
    source: Run
    positions: tuple[int, ...]
    writing: Mapping[str, Tensor] = field(default_factory=dict)
    reading: Mapping[str, Tensor] = field(default_factory=dict)
    written: dict[str, Tensor] = field(default_factory=dict)

    def logits(self, kept: IsKept = every, neurons: Mapping[str, Tensor] | None = None) -> Tensor:
        decoder, neurons = self.decoder, neurons or {}
        self.written, self.besides = {}, torch.zeros(decoder.d_model).double()
        self._write("input", self.base.read.resid_pre)
        for layer in range(decoder.n_layers):
            mlp, beside = f"m{layer}", None
            if decoder.has_mlp and decoder.is_parallel:
                beside = self._seen(mlp, kept, neurons)
            heads = [f"a{layer}.h{head}" for head in range(decoder.n_heads)]
            out = [self._head(layer, i, name, kept, neurons) for i, name in enumerate(heads)]
            for name, own in zip(heads, out, strict=True):
                self._write(name, own)
            self.besides = self.besides + decoder.layers[layer].b_O
            if decoder.has_mlp:
                x = self._seen(mlp, kept, neurons) if beside is None else beside
                self._write(mlp, decoder.layers[layer].mlp_out(x))
        x = self._seen("logits", kept, neurons)
        return decoder.unembed(x[:, list(self.positions)])

    def in_source(self, writer: str) -> Tensor:
        if writer == "input":
            return self.source.read.resid_pre
        if writer.startswith("m"):
            return self.source.layers[int(writer[1:])].mlp_out
        layer, head = (int(number) for number in writer[1:].split(".h"))
        return self.source.layers[layer].z[:, head] @ self.decoder.layers[layer].W_O[head]

    def _write(self, writer: str, own: Tensor) -> None:
        self.written[writer] = own + self.writing.get(writer, torch.zeros(1).double())

    def _seen(self, reader: str, kept: IsKept, neurons: Mapping[str, Tensor]) -> Tensor:
        total = self.reading.get(reader, torch.zeros(1).double()) + self.besides
        for writer, own in self.written.items():
            is_own = kept(writer, reader) & neurons.get(writer, torch.tensor(True))
            total = total + torch.where(is_own, own, self.in_source(writer))
        return total

    def _head(
        self, layer: int, head: int, name: str, kept: IsKept, neurons: Mapping[str, Tensor]
    ) -> Tensor:
        decoder, own = self.decoder, self.decoder.layers[layer]
        size, made = decoder.d_head, {}
        for letter in ("q", "k", "v"):
            number = head if letter == "q" else head * decoder.n_kv_heads // decoder.n_heads
            columns, projection = slice(number * size, (number + 1) * size), getattr(own, letter)
            x = own.ln1(self._seen(f"{name}<{letter}>", kept, neurons))
            made[letter] = x @ projection.weight[:, columns] + projection.bias[columns]
        q = decoder.meet(layer, made["q"], self.base.read, "q")
        k = decoder.meet(layer, made["k"], self.base.read, "k")
        scores = own.scale * torch.einsum("bqd,bkd->bqk", q, k)
        if decoder.is_causal:
            for query, key in product(range(q.shape[1]), repeat=2):
                if key > query:
                    scores[:, query, key] = -torch.inf
        weights = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
        return weights @ made["v"] @ own.W_O[head]


def names_of(table: EdgeTable) -> tuple[list[str], list[str]]:
    """Readers and writers of a table, as the twin calls them."""
    readers = [f"{node}<{letter}>" if letter else str(node) for node, letter in table.readers]
    return readers, [str(node) for node in table.writers]


def slow_logits(
    twin: Twin, table: EdgeTable, kept: Kept, column_of: Tensor | None = None
) -> Tensor:
    """The logits of each variant, one variant after another."""
    (readers, writers), found = names_of(table), []
    for number, edges in enumerate(kept.edges):

        def is_kept(writer: str, reader: str, edges: Tensor = edges) -> Tensor:
            of_columns = edges[readers.index(reader), writers.index(writer)]
            if len(of_columns) == 1 or column_of is None:
                return of_columns[:1, None]
            return of_columns[column_of][:, None]

        neurons = None if kept.neurons is None else kept.neurons[number]
        chosen = {} if neurons is None else dict(zip(writers, neurons, strict=True))
        found.append(twin.logits(is_kept, chosen))
    return torch.stack(found)
