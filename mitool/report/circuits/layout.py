"""Where the nodes of a circuit stand: the input at the bottom, the logits at the top."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx

from mitool.analysis.circuits.circuit import Circuit
from mitool.analysis.interventions.graph import Graph, Node

MOST_ABREAST = 10
"""Nodes side by side; more of a layer stand in several rows, their names having no room else."""

Place = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Places of nodes, one apart from the next in a row and from row to row.

    Attributes:
        layers: name and the lowest and highest row of each layer that has nodes.
    """

    places: Mapping[Node, Place]
    layers: Mapping[str, tuple[float, float]]

    @property
    def n_rows(self) -> int:
        return round(max(y for _, y in self.places.values())) + 1


def layout_of(circuit: Circuit) -> Layout:
    """Nodes in rows by when they are computed, each row in the middle."""
    rows = _rows(circuit)
    graph = networkx.DiGraph()
    graph.add_nodes_from(node for row in rows for node in row)
    found = networkx.multipartite_layout(
        graph, subset_key=dict(enumerate(rows)), align="horizontal"
    )
    # all is scaled to fit a square: back to one from row to row, the lowest at 0
    heights = [found[row[0]][1] for row in rows]
    step = (heights[-1] - heights[0]) / (len(rows) - 1) if len(rows) > 1 else 1.0
    places = {
        node: (round(float(x / step), 4), round(float((y - heights[0]) / step), 4))
        for node, (x, y) in found.items()
    }
    return Layout(places, _layers(places))


def nodes_of(circuit: Circuit) -> list[Node]:
    """The nodes that are in a circuit, in the order in which they are computed."""
    edges = circuit.listed
    ends = {edge.source for edge in edges} | {edge.target for edge in edges}
    chosen = dict(zip(circuit.table.writers, circuit.nodes.tolist(), strict=True))
    writers = [node for node, is_in in chosen.items() if is_in or node in ends]
    return [*writers, Node("logits")]


def _rows(circuit: Circuit) -> list[list[Node]]:
    rows: dict[tuple[int, int], list[Node]] = {}
    for node in nodes_of(circuit):
        rows.setdefault(_row(node, circuit.table.graph), []).append(node)
    return [part for row in sorted(rows) for part in _abreast(rows[row])]


def _row(node: Node, graph: Graph) -> tuple[int, int]:
    match node.kind:
        case "input":
            return -1, 0
        case "logits":
            return graph.n_layers, 0
        case "a":
            return node.layer, 0
        case "m":
            return node.layer, 0 if graph.is_parallel else 1


def _abreast(nodes: Sequence[Node]) -> list[list[Node]]:
    """As few rows as hold them, of about one length."""
    n_rows = math.ceil(len(nodes) / MOST_ABREAST)
    size = math.ceil(len(nodes) / n_rows)
    return [list(nodes[start : start + size]) for start in range(0, len(nodes), size)]


def _layers(places: Mapping[Node, Place]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for node, (_, y) in places.items():
        if node.kind in ("a", "m"):
            low, high = found.get(f"layer {node.layer}", (y, y))
            found[f"layer {node.layer}"] = (min(low, y), max(high, y))
    return found
