"""Numbers on the edges of a graph: a row for each reader, a column for each writer."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from mitool.analysis.interventions.graph import Edge, Graph, Node
from mitool.analysis.interventions.patterns import LETTERS
from mitool.models.decoder import Letter

Reader = tuple[Node, Letter | None]


@cache
def table_of(graph: Graph) -> "EdgeTable":
    """The table of a graph, made once."""
    return EdgeTable(graph)


@dataclass(frozen=True)
class EdgeTable:
    """Where each edge of a graph stands in a table."""

    graph: Graph

    @cached_property
    def writers(self) -> list[Node]:
        return self.graph.writers

    @cached_property
    def readers(self) -> list[Reader]:
        """A head's queries, keys and values each; the three of a layer's heads one after another:
        all queries, all keys, all values.
        """
        rows: list[Reader] = []
        for layer in range(self.graph.n_layers):
            heads = [Node("a", layer, head) for head in range(self.graph.n_heads)]
            rows += [(head, letter) for letter in LETTERS for head in heads]
            rows += [(Node("m", layer), None)] if self.graph.has_mlp else []
        return [*rows, (Node("logits"), None)]

    @cached_property
    def exists(self) -> Bool[Tensor, "reader writer"]:
        """Which of the places are edges."""
        graph = self.graph
        rows = [[graph.reads(target, w) for w in self.writers] for target, _ in self.readers]
        return torch.tensor(rows)

    @cached_property
    def is_node(self) -> Bool[Tensor, "reader writer"]:
        """Which writer each reader is; the logits are none."""
        rows = [[target == writer for writer in self.writers] for target, _ in self.readers]
        return torch.tensor(rows)

    @cached_property
    def edges(self) -> list[Edge]:
        """Row by row, those that exist."""
        return [
            Edge(writer, target, letter)
            for (target, letter), row in zip(self.readers, self.exists.tolist(), strict=True)
            for writer, exists in zip(self.writers, row, strict=True)
            if exists
        ]

    def row(self, target: Node, letter: Letter | None = None) -> int:
        """The number of a reader."""
        return self._rows[target, letter]

    def column(self, layer: int, head: int | None = None) -> int:
        """The number of a head, or of an MLP, as a writer."""
        node = Node("m", layer) if head is None else Node("a", layer, head)
        return self._columns[node]

    def mask(self, edges: Collection[Edge]) -> Bool[Tensor, "reader writer"]:
        """Where these edges stand."""
        found = torch.zeros_like(self.exists)
        for edge in edges:
            found[self._rows[edge.target, edge.letter], self._columns[edge.source]] = True
        return found

    @cached_property
    def _rows(self) -> dict[Reader, int]:
        return {reader: index for index, reader in enumerate(self.readers)}

    @cached_property
    def _columns(self) -> dict[Node, int]:
        return {node: index for index, node in enumerate(self.writers)}

    def listed(self, table: Shaped[Tensor, "reader writer"]) -> Shaped[Tensor, " edge"]:
        """The values of the edges, in the order of ``edges``."""
        return table[self.exists]
