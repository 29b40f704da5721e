"""Files that are no circuit, or none of the model."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mitool.analysis.circuits.files import as_json, read_circuit
from mitool.core.errors import InputError
from tests.analysis.circuits.graphs import COLUMNS, D_MODEL, SMALL, pt_of, save, stored

Document = dict[str, Any]
Change = Callable[[Document], object]
FULL = 1300
"""Letters of a message that names as much as any does."""


def at(*keys: Any, value: Any) -> Change:
    """Put a value into a document."""

    def change(document: Document) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def without(*keys: Any) -> Change:
    def change(document: Document) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


def refusal(path: Path, columns: Any = ()) -> str:
    with pytest.raises(InputError) as refused:
        read_circuit(path, SMALL, D_MODEL, columns)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert "\n" not in message
    assert len(message) < FULL
    return message


EDGE, NODE = ("edges", "a0.h0->m0"), ("nodes", "m0")
OTHERS = {f"a7.h{i}->m7": {"score": 0, "in_graph": True} for i in range(13)}
JSON: dict[str, tuple[Change, str]] = {
    "no cfg": (without("cfg"), "expected the keys 'cfg', 'nodes' and 'edges', found 'nodes', 'ed"),
    "a list": (at("nodes", value=[]), "'nodes': expected an object, found a list"),
    "cfg": (at("cfg", value=3), "'cfg': expected an object, found 3"),
    "half a cfg": (without("cfg", "n_heads"), "expected n_heads in 'cfg', found no such key"),
    "layers": (
        at("cfg", "n_layers", value=12),
        "with n_layers 2, found n_layers 12; give a circuit of this model",
    ),
    "parallel": (
        at("cfg", "parallel_attn_mlp", value=True),
        "with parallel_attn_mlp False, found parallel_attn_mlp True",
    ),
    "width": (at("cfg", "d_model", value="4"), "with d_model 4, found d_model '4'"),
    "a node": (at("nodes", "m2", value=True), "nodes of this model, input to logits, found 1 that"),
    "edges": (
        lambda document: document["edges"].update(OTHERS),
        "found 13 that it does not have: 'a7.h0->m7', 'a7.h1->m7'",
    ),
    "many edges": (lambda document: document["edges"].update(OTHERS), "'a7.h9->m7' and 3 more"),
    "an edge back": (
        at("edges", "m1->m0", value={"score": 0, "in_graph": True}),
        "edges of this model, input->a0.h0<q> to m1->logits, found 1 that it does not have: 'm1->m",
    ),
    "both spellings": (
        at("edges", "L0H0->MLP0", value={"score": 0, "in_graph": True}),
        "expected each of edges once, found 'a0.h0->m0' and 'L0H0->MLP0'",
    ),
    "no letter": (at("edges", "input->a0.h0", value={}), "does not have: 'input->a0.h0'"),
    "a text": (at(*NODE, value="in"), "node m0: expected an object, found 'in'"),
    "no flag": (without(*NODE, "in_graph"), "m0: expected true or false as 'in_graph', found null"),
    "yes": (at(*EDGE, "in_graph", value="yes"), "edge a0.h0->m0: expected true or false as 'in_g"),
    "two": (at(*EDGE, "in_graph", value=2), "'in_graph', found 2"),
    "no object": (at(*EDGE, value=1.5), "edge a0.h0->m0: expected an object, found 1.5"),
    "a score": (at(*EDGE, "score", value="1"), "expected a finite number as 'score', found '1'"),
    "true": (at(*EDGE, "score", value=True), "expected a finite number as 'score', found True"),
    "digits": (at(*EDGE, "score", value=10**400), "'score', found a number of many digits"),
    "NaN": (at(*EDGE, "score", value=float("nan")), "found: NaN, which is no number in JSON"),
    "infinite": (at(*NODE, "score", value=float("-inf")), "found: -Infinity, which is no number"),
    "a short list": (
        at(*NODE, "neurons", value=[True] * 3),
        "node m0: expected a list of 4 as 'neurons', found 3",
    ),
    "no list": (at(*NODE, "neurons", value=None), "a list of 4 as 'neurons', found null"),
    "a neuron": (at(*NODE, "neurons", value=[0, 1, 1, 0.5]), "as 'neurons', found 0.5"),
    "a long list": (at(*NODE, "neurons_scores", value=[0] * 5), "as 'neurons_scores', found 5"),
    "a neuron's score": (
        at(*NODE, "neurons_scores", value=[0, 1, "", 0]),
        "expected a finite number as 'neurons_scores', found ''",
    ),
    "neurons of one": (
        at(*NODE, "neurons", value=[1] * 4),
        "'neurons' of every node that is in, as m0 has them, found none of input, ",
    ),
    "positions of one": (
        at(*EDGE, "positions", value={}),
        "'positions' of every edge, as a0.h0->m0 has them, found none of input->a0.h0<q>",
    ),
    "a position": (
        at(*EDGE, "positions", value={"p7": {}}),
        "a0.h0->m0: expected edges alike at all positions, found 'p7'; take pairs",
    ),
}


@pytest.mark.parametrize(("change", "said"), JSON.values(), ids=JSON)
def test_json(tmp_path: Path, change: Change, said: str) -> None:
    document = as_json(stored("edge"), D_MODEL)
    change(document)
    path = tmp_path / "circuit"
    path.write_text(json.dumps(document))
    assert said in refusal(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            at(*EDGE, "positions", "end", value={}),
            "the positions p0, p1, p2, found 'end'",
        ),
        (
            at(*EDGE, "positions", value=[]),
            "a0.h0->m0, 'positions': expected an object, found a li",
        ),
        (
            at(*EDGE, "positions", "p1", value=True),
            "a0.h0->m0 at p1: expected an object, found True",
        ),
        (
            at(*EDGE, "positions", "p1", "score", value=""),
            "a0.h0->m0 at p1: expected a finite number",
        ),
        (at(*EDGE, "positions", "p1", "in_graph", value=9), "p1: expected true or false"),
        (
            without(*EDGE, "positions"),
            "of every edge, as input->a0.h0<q> has them, found none of a",
        ),
        (
            at(*EDGE, "positions", value={}),
            "edge a0.h0->m0: expected 'in_graph' to say whether the edge is in at any position",
        ),
    ],
)
def test_positions(tmp_path: Path, change: Change, said: str) -> None:
    document = as_json(stored("edge", columns=COLUMNS), D_MODEL, COLUMNS)
    assert document["edges"]["a0.h0->m0"]["in_graph"]
    change(document)
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(document))
    assert said in refusal(path, COLUMNS)


def test_edges_told_apart_by_position_where_pairs_are_not(tmp_path: Path) -> None:
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(as_json(stored("edge", columns=COLUMNS), D_MODEL, COLUMNS)))
    assert "expected edges alike at all positions, found 'p0', 'p1', 'p2'" in refusal(path)


def test_a_number_beyond_all_that_are_finite(tmp_path: Path) -> None:
    document = as_json(stored("edge"), D_MODEL)
    document["edges"]["a0.h0->m0"]["score"] = "huge"
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(document).replace('"huge"', "1e999"))
    assert "found: 1e999, which is beyond the largest number" in refusal(path)


class Hostile:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, ("executed", "w")


N_EDGES = (len(SMALL.writers), len(SMALL.readers))
PT: dict[str, tuple[Change, str]] = {
    "code": (at("more", value=Hostile()), "refused: it holds more than tensors and plain values"),
    "no cfg": (without("cfg"), "nodes_in_graph, found no cfg"),
    "no names": (without("src_nodes"), "found no src_nodes"),
    "cfg": (at("cfg", value=[]), "expected the model's configuration as 'cfg', found a list"),
    "heads": (at("cfg", "n_heads", value=torch.ones(2)), "with n_heads 2, found n_heads a Tensor"),
    "digits": (at("cfg", "n_heads", value=10**99), "found n_heads a number of many digits"),
    "width": (at("cfg", "d_model", value=5), "with d_model 4, found d_model 5"),
    "a node": (at("src_nodes", 1, value="a9.h0"), "expected 'src_nodes' of this model, input to"),
    "twice": (at("src_nodes", 1, value="input"), "each of 'src_nodes' once, found 'input' twice"),
    "a reader": (at("dst_nodes", 0, value="a0.h0"), "'dst_nodes' of this model, a0.h0<q> to logi"),
    "no list": (at("dst_nodes", value="m0"), "a list of names as 'dst_nodes', found 'm0'"),
    "numbers": (at("src_nodes", 0, value=3), "a list of names as 'src_nodes', found a list"),
    "no tensor": (at("edges_scores", value=[0.5]), "as 'edges_scores', found a list"),
    "shape": (
        at("edges_scores", value=torch.zeros(7, 3)),
        f"scores of the shape {N_EDGES} as 'edges_scores', found torch.float32 of the shape (7, 3)",
    ),
    "transposed": (at("edges_in_graph", value=torch.ones(N_EDGES[::-1]).bool()), "of the shape (1"),
    "numbered": (at("nodes_in_graph", value=torch.ones(7)), "flags of the shape (7,) as 'nodes_in"),
    "whole": (
        at("nodes_scores", value=torch.ones(7).long()),
        "found torch.int64 of the shape (7,)",
    ),
    "neurons": (
        at("neurons_in_graph", value=torch.ones(7, 5).bool()),
        "of the shape (7, 4) as 'ne",
    ),
    "NaN": (at("edges_scores", value=torch.full(N_EDGES, torch.nan)), "found NaN or infinity"),
    "infinite": (
        at("nodes_scores", value=torch.full((7,), torch.inf)),
        "finite numbers as 'nodes_",
    ),
    "sparse": (at("nodes_scores", value=torch.ones(7).to_sparse()), "expected a dense tensor"),
    "expanded": (
        at("nodes_scores", value=torch.ones(1).expand(10**7)),
        "more values than the file",
    ),
}


@pytest.mark.parametrize(("change", "said"), PT.values(), ids=PT)
def test_pt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    content = pt_of(stored("edge"))
    change(content)
    assert said in refusal(save(tmp_path / "circuit.pt", content))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a circuit, found an empty file; give a circuit as the EAP-IG code"),
        (b" \n", "found an empty file"),
        (b"\xff\xfe\x00\x12" * 99, "found bytes that are neither text nor a file of torch"),
        (
            b"PK\x03\x04 and no more",
            "expected a circuit that torch saved, found a damaged or other",
        ),
        (pickle.dumps([1, 2]), "expected a circuit that torch saved, found a damaged or"),
        (pickle.dumps(Hostile(), 2), "which reading would run as code"),
        (b"# by hand\n\n# later\n", "found comments alone"),
        (b"Dear reader,\nno edges\n", "found a text such as 'Dear reader,'; give a circuit as"),
        (b'{"cfg": 1', "expected the JSON of a circuit; found: Expecting"),
        (b'{"cfg": 1, "cfg": 2}', "found: the key 'cfg' twice in one object"),
        (b'{"cfg": ' * 100_000, "found too many levels"),
        (b'{"cfg": {}, "nodes": {}}', "expected the keys 'cfg', 'nodes' and 'edges', found 'cfg'"),
        (b"{}", "expected the keys 'cfg', 'nodes' and 'edges', found none"),
        (b'{"cfg": ' + b"9" * 5000 + b"}", "expected the JSON of a circuit"),
    ],
)
def test_what_is_no_circuit(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "circuit"
    path.write_bytes(content)
    assert said in refusal(path)


def test_lines_that_are_no_edges_are_named_in_one_message(tmp_path: Path) -> None:
    path = tmp_path / "edges.txt"
    missing = [f"m1->m{i}" for i in range(2, 15)]
    path.write_text("\n".join(["m0->m1", "# none", *missing, "m0 m1", "m0->a1.h0<x>", "*->m1"]))
    message = refusal(path)
    assert message.startswith(f"{path}: line 3 'm1->m2', line 4 'm1->m3', line 5 ")
    assert "line 12 'm1->m11' and 3 more: this model has no such edge (for 'm2' did you" in message
    assert "; line 16 'm0 m1': expected WRITER->READER" in message
    assert message.endswith("; line 17 'm0->a1.h0<x>': expected <q>, <k> or <v> after a head")


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "no such file; give a circuit as" in refusal(tmp_path / "nowhere.json")
    assert "expected a file with a circuit, found a folder" in refusal(tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    assert "the file: expected an object, found a list" in refusal(tmp_path / "list.json")
