"""Circuits to files and back, and those that the EAP-IG code wrote."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.analysis.circuits.circuit import circuit_of
from mitool.analysis.circuits.files import StoredCircuit, as_json, read_circuit
from mitool.analysis.circuits.units import Units
from mitool.analysis.interventions.graph import Graph, Node
from mitool.analysis.interventions.table import EdgeTable
from mitool.core.node_names import published, spelled
from mitool.settings import Level
from mitool.storage import atomic
from tests.analysis.circuits.graphs import (
    COLUMNS,
    D_MODEL,
    PARALLEL,
    SMALL,
    WITHOUT_MLP,
    assert_same,
    pt_of,
    save,
    stored,
)
from tests.analysis.interventions.models import GROUPED, parts_of, pretrained

REFERENCE = Path(__file__).parents[4] / "shared/reference"
LEVELS: tuple[Level, ...] = ("edge", "node", "neuron")
STORIES = EdgeTable(Graph(n_layers=5, n_heads=8, has_mlp=True, is_parallel=False))


def written(folder: Path, circuit: StoredCircuit, columns: Any = ()) -> Path:
    path = folder / "circuit.json"
    atomic.write_json(path, as_json(circuit, D_MODEL, columns))
    return path


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("table", [SMALL, PARALLEL, WITHOUT_MLP], ids=["", "parallel", "no MLP"])
def test_there_and_back_at_every_level(tmp_path: Path, table: EdgeTable, level: Level) -> None:
    whole = stored(level, table)
    assert 0 < whole.circuit.n_edges < len(table.edges)
    assert_same(read_circuit(written(tmp_path, whole), table, D_MODEL), whole)
    assert_same(read_circuit(save(tmp_path / "c.pt", pt_of(whole)), table, D_MODEL), whole)


def test_there_and_back_by_position(tmp_path: Path) -> None:
    whole = stored("edge", columns=COLUMNS)
    assert whole.circuit.edges.shape[-1] == 3
    document = as_json(whole, D_MODEL, COLUMNS)
    edge = document["edges"]["a0.h0->m0"]
    row, column = SMALL.row(Node("m", 0)), SMALL.column(0, 0)
    scores, flags = whole.scores["edge"][row, column], whole.circuit.edges[row, column]
    assert edge["score"] == pytest.approx(scores.sum().item(), rel=1e-15)
    assert edge["in_graph"] == flags.any().item()
    assert edge["positions"] == {
        f"p{i}": {"score": scores[i].item(), "in_graph": flags[i].item()} for i in range(3)
    }
    assert_same(read_circuit(written(tmp_path, whole, COLUMNS), SMALL, D_MODEL, COLUMNS), whole)


def test_scores_by_position_of_a_circuit_alike_at_all_and_the_reverse(tmp_path: Path) -> None:
    apart, alike = stored("edge", columns=COLUMNS), stored("edge")
    for circuit, scores in ((alike, apart), (apart, alike)):
        mixed = StoredCircuit(circuit.circuit, scores.scores)
        assert_same(read_circuit(written(tmp_path, mixed, COLUMNS), SMALL, D_MODEL, COLUMNS), mixed)


def test_what_is_alike_at_all_positions_has_one_column(tmp_path: Path) -> None:
    path = written(tmp_path, stored("edge"))
    assert_same(read_circuit(path, SMALL, D_MODEL, COLUMNS), stored("edge"))


def test_a_circuit_with_dead_ends_and_float32_scores_of_several_levels(tmp_path: Path) -> None:
    whole = stored("edge")
    dead = circuit_of(SMALL, SMALL.mask(SMALL.edges[:2])[..., None])
    assert dead.pruned().n_edges == 0
    scores = {level: stored(level).scores[level].float() for level in LEVELS}
    mixed = StoredCircuit(dead, scores)
    assert_same(read_circuit(written(tmp_path, mixed), SMALL, D_MODEL), mixed)
    bare = StoredCircuit(whole.circuit, {})
    assert as_json(bare, D_MODEL)["edges"]["a0.h0->m0"]["score"] == 0.0
    assert_same(read_circuit(written(tmp_path, bare), SMALL, D_MODEL), bare)


def test_an_empty_circuit(tmp_path: Path) -> None:
    empty = StoredCircuit(circuit_of(SMALL, torch.zeros(*SMALL.exists.shape, 1).bool()), {})
    assert_same(read_circuit(written(tmp_path, empty), SMALL, D_MODEL), empty)
    assert_same(read_circuit(save(tmp_path / "c.pt", pt_of(empty)), SMALL, D_MODEL), empty)
    document = {"cfg": as_json(empty, D_MODEL)["cfg"], "nodes": {}, "edges": {}}
    (tmp_path / "c.json").write_text(json.dumps(document))
    assert_same(read_circuit(tmp_path / "c.json", SMALL, D_MODEL), empty)


def test_the_document_is_that_of_the_eap_ig_code() -> None:
    document = as_json(stored("neuron"), D_MODEL)
    assert list(document) == ["cfg", "nodes", "edges"]
    assert document["cfg"] == {
        "n_layers": 2,
        "n_heads": 2,
        "parallel_attn_mlp": False,
        "d_model": 4,
    }
    nodes = ["input", "a0.h0", "a0.h1", "m0", "a1.h0", "a1.h1", "m1", "logits"]
    assert list(document["nodes"]) == nodes
    assert document["nodes"]["logits"] == {"in_graph": True}
    assert set(document["nodes"]["m0"]) == {"in_graph", "neurons", "neurons_scores"}
    assert set(document["edges"]) == {published(str(edge)) for edge in SMALL.graph.edges()}
    assert all(set(edge) == {"score", "in_graph"} for edge in document["edges"].values())


def test_the_older_version_says_of_nodes_whether_they_are_in(tmp_path: Path) -> None:
    document = as_json(stored("edge"), D_MODEL)
    del document["cfg"]["d_model"]
    document["nodes"] = {name: node["in_graph"] for name, node in document["nodes"].items()}
    (tmp_path / "old.json").write_text("\ufeff" + json.dumps(document))
    assert_same(read_circuit(tmp_path / "old.json", SMALL, D_MODEL), stored("edge"))
    for edge in document["edges"].values():
        edge["score"] = None
    (tmp_path / "old").write_text(json.dumps(document))
    expected = StoredCircuit(stored("edge").circuit, {})
    assert_same(read_circuit(tmp_path / "old", SMALL, D_MODEL), expected)


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_is_read_in_either_spelling(tmp_path: Path, level: Level) -> None:
    whole = stored(level)
    document = as_json(whole, D_MODEL)
    for kind in ("nodes", "edges"):
        document[kind] = {spelled(name): value for name, value in document[kind].items()}
    assert {"L0H1", "MLP1"} <= set(document["nodes"])
    (tmp_path / "ours.json").write_text(json.dumps(document))
    assert_same(read_circuit(tmp_path / "ours.json", SMALL, D_MODEL), whole)
    saved = pt_of(whole)
    for kind in ("src_nodes", "dst_nodes"):
        saved[kind] = list(map(spelled, saved[kind]))
    assert_same(read_circuit(save(tmp_path / "ours.pt", saved), SMALL, D_MODEL), whole)


def test_an_edge_out_of_a_node_that_is_not_in_is_not_in(tmp_path: Path) -> None:
    """As when the EAP-IG code prunes; into one it may be, which is a dead end."""
    document = as_json(stored("edge"), D_MODEL)
    for value in (*document["nodes"].values(), *document["edges"].values()):
        value["in_graph"] = True
    document["nodes"]["m0"]["in_graph"] = False
    (tmp_path / "c.json").write_text(json.dumps(document))
    read = read_circuit(tmp_path / "c.json", SMALL, D_MODEL).circuit.listed
    names = {published(str(edge)) for edge in read}
    assert names == {name for name in document["edges"] if not name.startswith("m0->")}


def test_whole_rows_of_nodes_as_the_eap_ig_code_takes_them(tmp_path: Path) -> None:
    whole = stored("node")
    content = pt_of(whole)
    content["edges_in_graph"] = whole.circuit.nodes[:, None].repeat(1, len(SMALL.readers))
    content["edges_scores"] = content["edges_scores"].masked_fill(~SMALL.exists.T, torch.nan)
    content["nodes_scores"] = content["nodes_scores"].index_fill(0, torch.tensor([1]), torch.nan)
    found = read_circuit(save(tmp_path / "c.pt", content), SMALL, D_MODEL)
    assert_same(replace(found, circuit=found.circuit.pruned(), scores=whole.scores), whole)
    expected = whole.scores["node"].index_fill(0, torch.tensor([1]), 0)
    assert torch.equal(found.scores["node"], expected)


def test_the_order_of_names_in_a_pt_is_its_own(tmp_path: Path) -> None:
    whole = stored("neuron")
    content = pt_of(whole)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(SMALL.writers), generator=generator)
    columns = torch.randperm(len(SMALL.readers), generator=generator)
    for name, value in content.items():
        if name.startswith("edges_"):
            content[name] = value[rows][:, columns]
        elif isinstance(value, torch.Tensor):
            content[name] = value[rows]
    content["src_nodes"] = [content["src_nodes"][row] for row in rows]
    content["dst_nodes"] = [content["dst_nodes"][column] for column in columns]
    assert_same(read_circuit(save(tmp_path / "any.name", content), SMALL, D_MODEL), whole)


def test_what_a_file_leaves_out_is_not_in(tmp_path: Path) -> None:
    document = as_json(stored("edge"), D_MODEL)
    left = [name for name, edge in document["edges"].items() if edge["in_graph"]][1:]
    document["edges"] = {name: document["edges"][name] for name in left}
    (tmp_path / "c.json").write_text(json.dumps(document))
    found = read_circuit(tmp_path / "c.json", SMALL, D_MODEL).circuit
    assert [published(str(edge)) for edge in found.listed] == left


def test_heads_that_share_keys_and_values_are_apart(tmp_path: Path) -> None:
    decoder = parts_of(pretrained("Llama", **GROUPED))
    table = EdgeTable(Graph.of(decoder))
    assert table.graph.n_heads == 4
    units = Units(table, "neuron", decoder.d_model)
    chosen = torch.rand(len(units), generator=torch.Generator().manual_seed(0)) > 0.5
    whole = StoredCircuit(units.circuit(chosen), {})
    (tmp_path / "c.json").write_text(json.dumps(as_json(whole, decoder.d_model)))
    assert_same(read_circuit(tmp_path / "c.json", table, decoder.d_model), whole)


def test_text_names_edges_as_options_do(tmp_path: Path) -> None:
    lines = ["{a0.h0,a0.h1}->m*", "a*.h*->logits", "input -> a0.h0<q>"]
    text = "\r\n".join(["# found by hand", "", *lines, "m1->logits  # the last one"])
    (tmp_path / "edges.txt").write_text(text, newline="")
    found = read_circuit(tmp_path / "edges.txt", SMALL, D_MODEL)
    expected = SMALL.graph.matching([*lines, "m1->logits"], "--edge")
    assert len(expected) == 4 + 4 + 1 + 1
    assert set(found.circuit.listed) == set(expected)
    assert_same(found, StoredCircuit(circuit_of(SMALL, SMALL.mask(expected)[..., None]), {}))


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference files are not here")
def test_the_files_of_the_eap_ig_code(tmp_path: Path) -> None:
    of_json = read_circuit(REFERENCE / "eapig_graph.json", STORIES, 64)
    assert len(STORIES.edges) == 2461
    assert (of_json.circuit.n_edges, of_json.circuit.n_nodes) == (192, 36)
    assert of_json.circuit.pruned().n_edges == 192
    assert_same(read_circuit(REFERENCE / "eapig_graph.pt", STORIES, 64), of_json)
    published = json.loads((REFERENCE / "eapig_graph.json").read_text())
    assert as_json(of_json, 64) == published
