"""A circuit: what of a model carries what it computes, all else carrying something else."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from mitool.analysis.interventions.edges import Kept
from mitool.analysis.interventions.graph import Edge
from mitool.analysis.interventions.table import EdgeTable


@dataclass(frozen=True)
class Circuit:
    """Edges of a graph, and the neurons by which their writers write.

    Attributes:
        edges: with one column where they are the same at all positions.
        nodes: the writers that are in.
        neurons: of each writer the dimensions of what it writes; None: all of them.
    """

    table: EdgeTable
    edges: Bool[Tensor, "reader writer column"]
    nodes: Bool[Tensor, " writer"]
    neurons: Bool[Tensor, "writer d_model"] | None = None

    @property
    def kept(self) -> Kept:
        """For a run with this as its one variant."""
        neurons = None if self.neurons is None else self.neurons[None]
        return Kept(self.edges[None], neurons)

    @property
    def n_edges(self) -> int:
        """Edges between nodes, each once whatever the positions."""
        return int(self.edges.any(dim=-1).sum())

    @property
    def n_nodes(self) -> int:
        """Writers, and the logits."""
        return int(self.nodes.sum()) + 1

    @property
    def listed(self) -> list[Edge]:
        """Its edges, in the order of the table."""
        chosen = self.table.listed(self.edges.any(dim=-1)).tolist()
        return [edge for edge, is_in in zip(self.table.edges, chosen, strict=True) if is_in]

    def pruned(self) -> "Circuit":
        """Less the nodes that nothing reaches from the input, or from which nothing reaches the
        logits, and their edges.
        """
        edges = pruned_edges(self.table, self.edges)
        nodes = self.nodes & edges.any(dim=-1).any(dim=0)
        neurons = None if self.neurons is None else self.neurons & nodes[:, None]
        return replace(self, edges=edges, nodes=nodes, neurons=neurons)


def circuit_of(table: EdgeTable, edges: Bool[Tensor, "reader writer column"]) -> Circuit:
    """The circuit of edges, with the writers that have any."""
    edges = edges & table.exists[..., None]
    return Circuit(table, edges, edges.any(dim=-1).any(dim=0))


def pruned_edges(
    table: EdgeTable, edges: Bool[Tensor, "reader writer column"]
) -> Bool[Tensor, "reader writer column"]:
    """The edges that lie on a way from the input to the logits.

    A head is reached where one of its queries, keys and values is.
    """
    is_node, flat = table.is_node, edges.any(dim=-1)
    while True:
        reached = (is_node & flat.any(dim=1)[:, None]).any(dim=0)
        reached[0] = True
        alive = reached & flat.any(dim=0)
        reads = (is_node & alive).any(dim=1) | ~is_node.any(dim=1)
        left = flat & alive & reads[:, None]
        if torch.equal(left, flat):
            return edges & flat[..., None]
        flat = left
