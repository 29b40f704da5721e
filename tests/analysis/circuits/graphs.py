"""Graphs, circuits and files of the EAP-IG code for the tests of files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mitool.analysis.circuits.files import StoredCircuit
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.columns import Column
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.node_names import published
from mitool.settings import Level

SMALL = EdgeTable(Graph(n_layers=2, n_heads=2, has_mlp=True, is_parallel=False))
PARALLEL = EdgeTable(Graph(n_layers=2, n_heads=3, has_mlp=True, is_parallel=True))
WITHOUT_MLP = EdgeTable(Graph(n_layers=2, n_heads=2, has_mlp=False, is_parallel=False))
D_MODEL = 4
COLUMNS = tuple(Column(f"p{i}", "", ((i, i + 1),)) for i in range(3))


def stored(
    level: Level, table: EdgeTable = SMALL, columns: tuple[Column, ...] = ()
) -> StoredCircuit:
    """A circuit of half of the units, of neurons of fewer, by random scores."""
    units = Units(table, level, D_MODEL, columns)
    scores = torch.randn(len(units), generator=torch.Generator().manual_seed(1)).double()
    chosen = scores.abs() > scores.abs().quantile(0.8 if level == "neuron" else 0.5)
    return StoredCircuit(units.circuit(chosen), {units.level: units.placed(scores)})


def pt_of(circuit: StoredCircuit, d_model: int = D_MODEL) -> dict[str, Any]:
    """What the EAP-IG code would hand to ``torch.save``: ``Graph.to_pt``."""
    table, own = circuit.circuit.table, circuit.circuit
    graph = table.graph
    nothing = torch.zeros(*table.exists.shape, 1).double()
    content: dict[str, Any] = {
        "cfg": {
            "n_layers": graph.n_layers,
            "n_heads": graph.n_heads,
            "parallel_attn_mlp": graph.is_parallel,
            "d_model": d_model,
        },
        "src_nodes": [published(str(node)) for node in table.writers],
        "dst_nodes": [published(f"{n}<{own}>" if own else str(n)) for n, own in table.readers],
        "edges_scores": circuit.scores.get("edge", nothing)[..., 0].T,
        "edges_in_graph": own.edges[..., 0].T,
        "nodes_in_graph": own.nodes,
    }
    if "node" in circuit.scores:
        content["nodes_scores"] = circuit.scores["node"]
    if own.neurons is not None:
        content["neurons_in_graph"] = own.neurons
        content["neurons_scores"] = circuit.scores["neuron"]
    return content


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def assert_same(found: StoredCircuit, expected: StoredCircuit) -> None:
    assert found.circuit.table.graph == expected.circuit.table.graph
    assert torch.equal(found.circuit.edges, expected.circuit.edges)
    assert torch.equal(found.circuit.nodes, expected.circuit.nodes)
    neurons = found.circuit.neurons, expected.circuit.neurons
    assert all(isinstance(of, Tensor) for of in neurons) or neurons == (None, None)
    if neurons[0] is not None and neurons[1] is not None:
        assert torch.equal(neurons[0], neurons[1])
    assert found.scores.keys() == expected.scores.keys()
    for level, scores in expected.scores.items():
        assert torch.equal(found.scores[level], scores.double())
