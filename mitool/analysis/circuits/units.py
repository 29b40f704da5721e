"""What a circuit is chosen from: edges, perhaps at each position, nodes, or neurons."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mitool.analysis.circuits.circuit import Circuit, circuit_of
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.edges import Kept
from mitool.analysis.interventions.table import EdgeTable
from mitool.settings import Level


@dataclass(frozen=True)
class Units:
    """The units of a graph at a level.

    Neurons are the dimensions of what a node writes, as in the EAP-IG code.

    Attributes:
        columns: positions at which edges are told apart; none where they are the same at all.
    """

    table: EdgeTable
    level: Level
    d_model: int
    columns: tuple[Column, ...] = ()

    @cached_property
    def exists(self) -> Bool[Tensor, " *place"]:
        """Of a table of values, which are those of units: [reader, writer, column] for edges,
        [writer] for nodes, [writer, d_model] for neurons.
        """
        table = self.table
        match self.level:
            case "edge":
                return table.exists[..., None].expand(-1, -1, max(1, len(self.columns)))
            case "node":
                return torch.ones(len(table.writers), dtype=torch.bool)
            case "neuron":
                return torch.ones(len(table.writers), self.d_model, dtype=torch.bool)

    def __len__(self) -> int:
        return int(self.exists.sum())

    @cached_property
    def names(self) -> list[str]:
        writers = self.table.writers
        match self.level:
            case "edge":
                places = [f"@{column.name}" for column in self.columns] or [""]
                return [f"{edge}{place}" for edge in self.table.edges for place in places]
            case "node":
                return [str(node) for node in writers]
            case "neuron":
                return [f"{node}[{index}]" for node in writers for index in range(self.d_model)]

    def listed(self, values: Shaped[Tensor, " *place"]) -> Shaped[Tensor, " unit"]:
        """The values of units out of a table."""
        return values[self.exists]

    def placed(self, values: Float[Tensor, " unit"]) -> Float[Tensor, " *place"]:
        """The table of values of units; 0 where there is none."""
        found = torch.zeros(self.exists.shape, dtype=values.dtype)
        found[self.exists] = values
        return found

    def kept(self, chosen: Bool[Tensor, "variant unit"]) -> Kept:
        """What the variants keep that have these units; of nodes and neurons every edge between
        those that are in.
        """
        found = torch.zeros(len(chosen), *self.exists.shape, dtype=torch.bool)
        found[:, self.exists] = chosen
        if self.level == "edge":
            return Kept(found)
        nodes = found if self.level == "node" else found.any(dim=-1)
        return Kept(self._between(nodes), None if self.level == "node" else found)

    def circuit(self, chosen: Bool[Tensor, " unit"]) -> Circuit:
        """The circuit of units, less what is dead in it."""
        kept = self.kept(chosen[None])
        whole = circuit_of(self.table, kept.edges[0])
        if kept.neurons is None:
            return whole.pruned()
        return Circuit(self.table, whole.edges, whole.nodes, kept.neurons[0]).pruned()

    def units_of(self, circuit: Circuit) -> Bool[Tensor, " unit"]:
        """The units that are in a circuit."""
        match self.level:
            case "edge":
                return self.listed(circuit.edges.expand_as(self.exists))
            case "node":
                return circuit.nodes
            case "neuron":
                neurons = circuit.neurons
                whole = circuit.nodes[:, None].expand_as(self.exists)
                return self.listed(whole if neurons is None else neurons & whole)

    def _between(
        self, nodes: Bool[Tensor, "variant writer"]
    ) -> Bool[Tensor, "variant reader writer 1"]:
        """All edges between nodes that are in, and out of them into the logits."""
        is_node = self.table.is_node
        reads = (is_node & nodes[:, None]).any(dim=-1) | ~is_node.any(dim=1)
        return (self.table.exists & nodes[:, None] & reads[:, :, None])[..., None]
