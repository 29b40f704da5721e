"""Numbers on the edges of a graph: a row for each reader, a column for each writer."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.interventions.decoder import Letter
from mitool.analysis.interventions.graph import LETTERS, Edge, Graph, Node

Reader = tuple[Node, Letter | None]


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
    def edges(self) -> list[Edge]:
        """Row by row, those that exist."""
        return [
            Edge(writer, target, letter)
            for (target, letter), row in zip(self.readers, self.exists.tolist(), strict=True)
            for writer, exists in zip(self.writers, row, strict=True)
            if exists
        ]

    def listed(self, table: Float[Tensor, "reader writer"]) -> Float[Tensor, " edge"]:
        """The values of the edges, in the order of ``edges``."""
        return table[self.exists]
